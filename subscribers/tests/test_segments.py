"""Segments: who meets the conditions, who is counted, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from staff.models import AuditEvent
from subscribers import exports, segments, topics
from subscribers.models import Newsletter, Segment, Subscription
from subscribers.segments import Condition, Unusable
from tests.cast import Readers, account, confirmed, make_newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(newsletter: Newsletter, texts: list[object], section: Any) -> Subscription:
    """Weekly, in Russian, on one topic, for three days; the others are daily, in no language, imported long ago."""
    row = confirmed("anna@readers.example", newsletter, cadence="weekly", now=timezone.now() - timedelta(days=3))
    row.subscriber.language = "ru"
    row.subscriber.save()
    row.topics = topics.choice(values=[f"section-{section.pk}"])
    row.save()
    return row


def members(newsletter: Newsletter, *lines: tuple[str, str, str]) -> set[str]:
    conditions = [Condition(*line) for line in lines]
    met = segments.among(newsletter=newsletter, lines=conditions).mailable(now=timezone.now())
    return {address.partition("@")[0] for address in met.values_list("subscriber__address", flat=True)}


def day(ago: int) -> str:
    return (timezone.now() - timedelta(days=ago)).date().isoformat()


@rows(
    "line, is_anna",
    [
        (("cadence", "is", "weekly"), True),
        (("cadence", "is_not", "weekly"), False),
        (("language", "is", "ru"), True),
        # Who chose none has the publication's first language.
        (("language", "is", "en"), False),
        (("language", "is_not", "en"), True),
        (("topic", "is", "the section"), True),
        (("topic", "is_not", "the section"), False),
        (("joined", "since", "5"), True),
        (("joined", "before", "5"), False),
        (("source", "is", "import"), False),
        (("source", "is_not", "import"), True),
    ],
)
def test_each_field_finds_its_readers(
    newsletter: Newsletter,
    anna: Subscription,
    section: Any,
    readers: Readers,
    line: tuple[str, str, str],
    is_anna: bool,
) -> None:
    readers(2)
    field, op, value = line
    value = {"the section": f"section-{section.pk}", "5": day(5)}.get(value, value)
    expected = {"anna"} if is_anna else {"reader-0000", "reader-0001"}
    assert members(newsletter, (field, op, value)) == expected


def test_all_conditions_have_to_be_met_and_another_newsletter_can_be_asked_for(
    newsletter: Newsletter, anna: Subscription, readers: Readers
) -> None:
    first, _second = readers(2)
    money = make_newsletter("Money")
    confirmed(first.subscriber.address, money)
    assert members(newsletter, ("newsletter", "is", str(money.pk))) == {"reader-0000"}
    assert members(newsletter, ("newsletter", "is_not", str(money.pk)), ("cadence", "is", "daily")) == {"reader-0001"}


def test_who_left_is_in_no_number(newsletter: Newsletter, readers: Readers) -> None:
    _one, left = readers(2)
    Subscription.objects.filter(pk=left.pk).update(state="unsubscribed")
    daily = [Condition("cadence", "is", "daily")]
    assert segments.count(newsletter=newsletter, lines=daily) == segments.Number(1)


def test_a_count_is_one_statement_that_stops_at_its_bound(
    newsletter: Newsletter, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MOST_COUNTED", 2)
    readers(4)
    with CaptureQueriesContext(connection) as queries:
        number = segments.count(newsletter=newsletter, lines=[Condition("cadence", "is", "daily")])
    assert number == segments.Number(2, is_more=True)
    assert len(queries) == 1
    assert "LIMIT 3" in queries[0]["sql"]


@rows(
    "line",
    [
        ("opened", "is", "yes"), ("clicked", "is", "yes"), ("tracking_consent", "is", "True"),
        ("cadence", "is", "hourly"), ("cadence", "since", "daily"), ("joined", "since", "soon"),
        ("topic", "is", "section-0"), ("language", "is", ""),
    ],
)  # fmt: skip
def test_what_is_not_offered_is_refused_and_met_by_nobody(
    newsletter: Newsletter, readers: Readers, line: tuple[str, str, str]
) -> None:
    with pytest.raises(Unusable):
        segments.save(newsletter=newsletter, name="A", lines=[Condition(*line)], actor=None, now=timezone.now())


def test_a_broken_rule_widens_no_audience(newsletter: Newsletter, readers: Readers) -> None:
    readers(1)
    assert members(newsletter) == set()
    assert members(newsletter, ("opened", "is", "yes")) == set()
    assert members(newsletter, ("cadence", "is", "daily"), ("gone", "is_not", "x")) == set()


def test_it_is_saved_under_one_name_and_on_the_audit_log(newsletter: Newsletter) -> None:
    lines, now = [Condition("cadence", "is", "weekly")], timezone.now()
    editor = account("eda", "Editor")
    segment = segments.save(newsletter=newsletter, name=" Weekly  ones ", lines=lines, actor=editor, now=now)
    assert (segment.name, segment.changed_by) == ("Weekly ones", editor)
    with pytest.raises(Unusable, match="this name"):
        segments.save(newsletter=newsletter, name="weekly ones", lines=lines, actor=editor, now=now)
    entry = AuditEvent.objects.get(action="segment_saved")
    assert entry.actor_name == "eda"
    assert entry.detail == {"newsletter": "Tech News", "conditions": ["How often is Weekly"]}
    segments.delete(segment=segment, actor=editor, now=now)
    assert not Segment.objects.exists()
    assert AuditEvent.objects.filter(action="segment_deleted", object_name="Weekly ones").exists()


def test_the_export_has_the_readers_of_a_segment_alone(
    newsletter: Newsletter, anna: Subscription, readers: Readers
) -> None:
    readers(1)
    now, publisher = timezone.now(), account("pia", "Publisher")
    lines = [Condition("cadence", "is", "weekly")]
    segment = segments.save(newsletter=newsletter, name="Weekly", lines=lines, actor=publisher, now=now)
    text = "".join(exports.rows(newsletter=None, state="confirmed", segment=segment, actor=publisher, now=now))
    assert [line.partition(",")[0] for line in text.splitlines()] == ["address", "anna@readers.example"]
    assert AuditEvent.objects.get(action="readers_exported").detail["segment"] == "Weekly"
