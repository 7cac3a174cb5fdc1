"""Copies of an issue with variants: each reader's is planned, built and sent in the reader's language, once."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from articles import publishing
from articles.models import Article
from digests import approval, composing, rest, why
from digests.models import Delivery, Issue, Variant
from digests.sending import attempts, audience, claims, lanes, merge, preparing, sweeper
from digests.sending.tests.conftest import ScriptedTransport, expire_leases, states
from digests.tests import multilingual
from publication.models import Publication
from subscribers.models import Cadence, Newsletter, Subscriber
from tests.cast import Publish, import_readers, make_newsletter

pytestmark = pytest.mark.django_db
SUBJECTS = {"en": "The dam is full", "ru": "Плотина полна", "de": "Der Damm ist voll"}


@pytest.fixture
def languages(publication: Publication, publish: Publish) -> dict[str, str]:
    """Address -> language of nine readers: three languages, and one that the publication does not offer."""
    now = timezone.now()
    multilingual.speak("ru", "de")
    story = publish("The dam is full", now - timedelta(minutes=1))
    multilingual.translate(story, "ru", SUBJECTS["ru"], now)
    multilingual.translate(story, "de", SUBJECTS["de"], now)
    rows = import_readers(*(f"r{number}@readers.example" for number in range(9)), newsletter=make_newsletter())
    multilingual.read(rows[3:5], "ru")
    multilingual.read(rows[5:8], "de")
    multilingual.read(rows[8:], "fr")
    return dict(Subscriber.objects.values_list("address", "language"))


@pytest.fixture
def issue(languages: dict[str, str]) -> Issue:
    """Approved."""
    now = timezone.now()
    draft = composing.compose_now(newsletter=Newsletter.objects.get(), cadence=Cadence.DAILY, now=now)
    return multilingual.approve(draft, now)


def plan(issue: Issue) -> None:
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()


def sent(transport: ScriptedTransport) -> dict[str, str]:
    """Address -> subject of the copies that were taken; nobody has two."""
    assert max(Counter(copy.recipient for copy in transport.taken).values()) == 1
    mails = {
        copy.recipient: email.message_from_bytes(copy.payload or b"", policy=email.policy.default)
        for copy in transport.taken
    }
    return {address: str(mail["Subject"]) for address, mail in mails.items()}


def wanted(languages: dict[str, str]) -> dict[str, str]:
    return {address: SUBJECTS.get(language, SUBJECTS["en"]) for address, language in languages.items()}


def test_the_plan_names_the_variant_of_each_copy_in_one_statement(issue: Issue, languages: dict[str, str]) -> None:
    with CaptureQueriesContext(connection) as queries:
        plan(issue)
    writing = [query["sql"] for query in queries if "digests_delivery_open" in query["sql"]]
    assert len([sql for sql in writing if "INSERT" in sql]) == 1
    assert not [sql for sql in writing if sql.startswith("UPDATE")]
    planned = dict(Delivery.objects.values_list("subscriber__address", "variant"))
    offered = {"ru", "de"}
    assert planned == {address: one if one in offered else None for address, one in languages.items()}
    assert issue.audience_count == len(languages)


def test_who_speaks_a_language_only_since_the_approval_gets_the_issues_own(issue: Issue) -> None:
    """No copy names a variant that was not frozen."""
    Variant.objects.filter(language="de").delete()
    audience.plan(issue=issue, now=timezone.now())
    assert dict(Counter(Delivery.objects.values_list("variant", flat=True))) == {None: 7, "ru": 2}


def test_each_copy_is_made_of_its_variant(
    issue: Issue,
    languages: dict[str, str],
    transport: ScriptedTransport,
) -> None:
    plan(issue)
    lanes.run(issue_id=issue.pk, lane=0)
    assert sent(transport) == wanted(languages)
    issue.refresh_from_db()
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"accepted": 9})
    german = Subscriber.objects.get(address="r6@readers.example")
    assert "Deutsch" in why.explain(issue=issue, reader=german, now=timezone.now()).sentence
    english = Subscriber.objects.get(address="r0@readers.example")
    assert "language" not in why.explain(issue=issue, reader=english, now=timezone.now()).sentence


def test_a_provider_gets_one_letter_per_language(issue: Issue) -> None:
    """It puts copies of one letter into one request."""
    plan(issue)
    merger = merge.Merger(Issue.objects.select_related("snapshot").get(pk=issue.pk), needs="merge")
    batch = claims.claim(issue_id=issue.pk, after=issue.copies_after, limit=9)
    assert batch is not None
    copies = attempts.record_attempts(batch=batch, merger=merger, lease_seconds=60)
    assert sorted(Counter(id(copy.message) for copy in copies).values()) == [2, 3, 4]


def test_a_lane_that_died_loses_no_language(
    issue: Issue,
    languages: dict[str, str],
    transport: ScriptedTransport,
) -> None:
    """Claimed and not recorded: pending again. Recorded and not answered: uncertain, and never sent by itself."""
    plan(issue)
    merger = merge.Merger(Issue.objects.select_related("snapshot").get(pk=issue.pk), needs="payload")
    first = claims.claim(issue_id=issue.pk, after=issue.copies_after, limit=4)
    assert first is not None
    attempts.record_attempts(batch=first, merger=merger, lease_seconds=60)
    second = claims.claim(issue_id=issue.pk, after=first.last_id, limit=2)
    assert second is not None
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()
    lanes.run(issue_id=issue.pk, lane=0)
    lost = set(issue.deliveries.filter(state="uncertain").values_list("subscriber__address", flat=True))
    assert len(lost) == 4
    assert sent(transport) == {
        address: subject for address, subject in wanted(languages).items() if address not in lost
    }


def test_the_rest_is_in_the_language_in_which_it_was_planned(
    issue: Issue,
    languages: dict[str, str],
    transport: ScriptedTransport,
) -> None:
    plan(issue)
    approval.cancel(issue=issue, reason="A wrong number.", actor=None, now=timezone.now())
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    Subscriber.objects.update(language="")
    rest.send(issue=issue, actor=None, now=timezone.now())
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    lanes.run(issue_id=issue.pk, lane=0)
    assert sent(transport) == wanted(languages)


def test_a_translation_that_was_withdrawn_stops_the_issue_as_a_story_does(
    issue: Issue,
    transport: ScriptedTransport,
) -> None:
    """Before the plan the issue is frozen again without it; while copies leave, it ends."""
    german = Article.objects.get(headline=SUBJECTS["de"])
    publishing.withdraw(article=german, reason="Wrong.", actor=None, now=timezone.now())
    plan(issue)
    assert not Variant.objects.get(language="de").stories
    russian = Article.objects.get(headline=SUBJECTS["ru"])
    publishing.withdraw(article=russian, reason="Wrong.", actor=None, now=timezone.now())
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert (issue.state, transport.taken) == (Issue.State.CANCELLED, [])
    with pytest.raises(rest.NotAllowed, match="There is no rest"):
        rest.send(issue=issue, actor=None, now=timezone.now())
