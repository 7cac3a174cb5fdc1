"""Prometheus can read the figures, they are those of the issue's page, and they walk over no finished issue."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from digests import heartbeat, issue_outcomes, stats
from digests.models import Delivery, DeliveryEvent, Issue
from newsroom import metrics
from postal import config, limiter
from subscribers.models import Letter, Newsletter, Subscriber
from tests import ownership

pytestmark = pytest.mark.django_db

State = Delivery.State


@pytest.fixture(autouse=True)
def _nothing_known(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EMAIL_TRANSPORT = "smtp"
    settings.RELAYS = [config.MailServer("a.example", 25), config.MailServer("b.example", 25)]
    own = limiter.Limits(prefix=f"test-metrics-{uuid.uuid4().hex}:")
    monkeypatch.setattr(limiter, "shared", lambda: own)


@pytest.fixture
def newsletter(db: None) -> Newsletter:
    return Newsletter.objects.create(name="The Daily", slug="daily", description="Every day.")


def make(newsletter: Newsletter, state: str, **counts: int) -> Issue:
    now = timezone.now()
    issue = Issue.objects.create(
        newsletter=newsletter, state=state, number=Issue.objects.count() + 1, audience_count=sum(counts.values()),
        started_at=now, planned_at=now,
    )  # fmt: skip
    due = {"due_at": now - timedelta(seconds=90), "reason": "passing"}
    for name, count in counts.items():
        extra = due if name == "deferred" else {}
        Delivery.objects.bulk_create([Delivery(issue=issue, state=name, **extra) for _ in range(count)])
    return issue


def figures() -> dict[tuple[str, ...], float]:
    """Every sample: its name and the values of its labels. Raises when the text is not Prometheus'."""
    families = list(text_string_to_metric_families(metrics.text()))
    assert len({family.name for family in families}) == len(families), "each metric is described once"
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation for family in families)
    samples = [((one.name, *one.labels.values()), one.value) for family in families for one in family.samples]
    assert len(dict(samples)) == len(samples), "no sample is given twice"
    return dict(samples)


def test_an_empty_house_has_figures() -> None:
    samples = figures()
    assert samples["newsroom_deliveries", "uncertain"] == 0
    assert samples["newsroom_in_flight_bound",] == 100
    assert ("newsroom_clock_age_seconds",) not in samples


def test_they_are_the_numbers_of_the_issues_page(newsletter: Newsletter) -> None:
    issue = make(newsletter, "sending", accepted=3, pending=2, deferred=2, uncertain=1)
    Issue.objects.update(audience_count=9)
    issue.refresh_from_db()
    samples, shown = figures(), stats.progress(issue)
    name = str(issue.pk)
    for state, count in shown.by_state.items():
        assert samples["newsroom_issue_copies", name, state] == count
    assert (samples["newsroom_issue_audience", name], samples["newsroom_issue_conserved", name]) == (9, 0)
    assert samples["newsroom_issue_rate", name] == shown.rate
    assert ("newsroom_issue_seconds_left", name) not in samples
    assert samples["newsroom_issue_put_off", name, "passing"] == 2
    assert 90 <= samples["newsroom_deliveries_late_seconds",] < 100
    assert samples["newsroom_deliveries", "deferred"] == 2


def test_copies_that_need_a_person_are_remembered_when_their_issue_has_ended(newsletter: Newsletter) -> None:
    make(newsletter, "sending", uncertain=1)
    ended = make(newsletter, "sent_with_exceptions", uncertain=2, accepted=1)
    Issue.objects.filter(pk=ended.pk).update(finished_at=timezone.now())
    issue_outcomes.record(issue_id=ended.pk)
    samples = figures()
    assert samples["newsroom_deliveries", "uncertain"] == 3
    assert ("newsroom_issue_copies", str(ended.pk), "uncertain") not in samples
    Issue.objects.filter(pk=ended.pk).update(finished_at=timezone.now() - metrics.REMEMBERED)
    assert figures()["newsroom_deliveries", "uncertain"] == 1


def test_a_paused_issue_that_never_moved_has_been_quiet_since_it_began(newsletter: Newsletter) -> None:
    issue = make(newsletter, "paused", pending=1)
    Issue.objects.update(started_at=timezone.now() - timedelta(minutes=10))
    samples = figures()
    assert samples["newsroom_issue_quiet_seconds", str(issue.pk)] == pytest.approx(600, abs=20)
    assert samples["newsroom_issue_copies", str(issue.pk), "pending"] == 1


def test_copies_that_were_put_off_are_counted_by_their_code(newsletter: Newsletter) -> None:
    issue = make(newsletter, "sending", deferred=3)
    for number, copy in enumerate(issue.deliveries.all()):
        Delivery.objects.filter(pk=copy.pk).update(reason_parameters={"said": f"try later, queue {number}"})
    put_off = {key: value for key, value in figures().items() if key[0] == "newsroom_issue_put_off"}
    assert put_off == {("newsroom_issue_put_off", str(issue.pk), "passing"): 3}


def test_only_a_copy_whose_next_try_is_due_is_late(newsletter: Newsletter) -> None:
    make(newsletter, "sending", deferred=2)
    Delivery.objects.update(due_at=timezone.now() + timedelta(hours=1))
    assert figures()["newsroom_deliveries_late_seconds",] == 0


def test_an_issue_whose_readers_are_being_gathered_is_late_too(newsletter: Newsletter) -> None:
    ago = timezone.now() - timedelta(minutes=10)
    Issue.objects.create(newsletter=newsletter, state="preparing", scheduled_for=ago)
    assert figures()["newsroom_issues_late_seconds",] == pytest.approx(600, abs=20)


def test_the_mailbox_for_returned_mail_has_an_age_where_there_is_one(settings: Any) -> None:
    heartbeat.beat(work="returns", now=timezone.now() - timedelta(minutes=10))
    settings.RETURNS = None
    assert ("newsroom_returns_age_seconds",) not in figures()
    settings.RETURNS = config.Mailbox("imap.example", 993, "user", "password")
    assert figures()["newsroom_returns_age_seconds",] == pytest.approx(600, abs=20)


def test_a_limit_that_is_used_up_is_a_figure(settings: Any) -> None:
    settings.PACING = replace(settings.PACING, per_hour=1)
    assert not [key for key in figures() if key[0] == "newsroom_limit_full"]
    limiter.shared().ask(rules=[limiter.Rule("all", 1, 3_600)], slow=[], wanted=1)
    assert figures()["newsroom_limit_full", "1", "3600"] == 1


def test_a_million_is_not_rounded(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    make(newsletter, "sending")
    Issue.objects.update(audience_count=1_234_567)
    assert 1_234_567 in figures().values()


def test_what_waits_elsewhere(newsletter: Newsletter) -> None:
    ago = timezone.now() - timedelta(minutes=10)
    reader = Subscriber.objects.create(address="r@x.example", address_key="r@x.example", address_hash="0" * 64)
    Letter.objects.create(kind="confirm", subscriber=reader, due_at=ago)
    Letter.objects.create(kind="confirm", subscriber=reader, due_at=ago, state="sent")
    event = {"kind": "delivered", "occurred_at": ago, "received_at": ago}
    DeliveryEvent.objects.create(provider="x", event_id="1", **event)
    DeliveryEvent.objects.create(provider="x", event_id="2", settled_at=ago, **event)
    Issue.objects.create(newsletter=newsletter, state="scheduled", scheduled_for=ago)
    heartbeat.beat(work="clock", now=ago)
    samples = figures()
    assert samples["newsroom_letters", "pending"] == samples["newsroom_events_waiting",] == 1
    for name in ("letters_oldest", "events_oldest", "issues_late", "clock_age"):
        assert samples[f"newsroom_{name}_seconds",] == pytest.approx(600, abs=20), name
    assert "@" not in metrics.text()


def test_who_rests_and_who_is_slowed_down() -> None:
    limiter.shared().rest(subject="relay:a.example:25", seconds=5)
    limiter.shared().slow_down(subject="domain:gmail.com", base=40, hold=60)
    samples = figures()
    assert (
        samples["newsroom_route_away", "relay:a.example:25"],
        samples["newsroom_route_away", "relay:b.example:25"],
    ) == (1, 0)
    assert samples["newsroom_slowed_rate", "domain:gmail.com"] == 20
    assert 50 < samples["newsroom_slowed_held_seconds", "domain:gmail.com"] <= 60
    assert samples["newsroom_redis_up",] == 1


def test_no_finished_issue_is_walked_over(newsletter: Newsletter) -> None:
    make(newsletter, "sent", accepted=6_000)
    make(newsletter, "sending", pending=20, deferred=5, uncertain=5, accepted=20)
    make(newsletter, "sent_with_exceptions", uncertain=5, accepted=20)
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE digests_delivery, digests_issue, digests_deliveryevent")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        metrics.text()
    assert len(queries) <= 12
    for query in queries.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "Seq Scan on digests_delivery " not in plan, f"{query['sql']}\n{plan}"
