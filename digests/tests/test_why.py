"""Why did she get it, or not? One sentence for each way, with rows behind it, and nothing that nobody knows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from digests import why
from digests.feedback import processing
from digests.models import Delivery, Issue
from digests.sending import history
from digests.tests import copies
from subscribers import consent, demands, erasure, legal, preferences, signup, suppression
from subscribers.models import Cadence, LegalDocument, Newsletter, Subscriber, Subscription, Suppression
from tests.cast import RITA, Staff, confirmed
from tests.table import rows

pytestmark = pytest.mark.django_db
State = Delivery.State
COUNTED = copies.LEFT_AT


@pytest.fixture
def sent(newsletter: Newsletter) -> Issue:
    """A daily issue whose audience was counted long ago."""
    issue = copies.issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(planned_at=COUNTED, cadence=Cadence.DAILY)
    issue.refresh_from_db()
    return issue


def sentence_on(issue: Issue, address: str = RITA) -> str:
    return why.explain_address(issue=issue, address=address, now=timezone.now()).sentence


@rows(
    ("state", "fields", "got", "words"),
    [
        (State.ACCEPTED, {}, True, "Yes: the reader's mail server took the copy. A copy was planned because"),
        (State.UNCERTAIN, {}, None, "Nobody knows: the mail server's reply was lost"),
        (State.REJECTED, {"reason": "mailbox_full"}, False, "No: the mail server refused the copy"),
        (State.SUPPRESSED, {"reason": "unsubscribed"}, False, "held back before it left. The reader had unsubscribed."),
        (State.CANCELLED, {}, False, "No: the issue was cancelled before this copy left."),
        (State.DEFERRED, {}, None, "Not yet: the mail server put the copy off"),
    ],
)
def test_a_copy_says_what_became_of_it(
    sent: Issue, newsletter: Newsletter, state: State, fields: dict[str, str], got: bool | None, words: str
) -> None:
    reader = copies.reader(newsletter, RITA)
    copies.copy(sent, reader, state, **fields)
    explanation = why.explain(issue=sent, reader=reader, now=timezone.now())
    assert words in explanation.sentence
    assert explanation.got is got
    assert "Tech" not in explanation.sentence.partition("because")[0]
    assert any(isinstance(fact.row, Delivery) for fact in explanation.facts)


def test_what_came_back_later_is_said_too(sent: Issue, newsletter: Newsletter) -> None:
    copy = copies.copy(sent, copies.reader(newsletter, RITA), State.ACCEPTED)
    processing.record(event=copies.event("complained", copy), provider="mailgun", now=timezone.now())
    processing.settle(now=timezone.now())
    assert "The reader marked it as spam." in sentence_on(sent)


def stranger(newsletter: Newsletter) -> None:
    """Somebody of another newsletter only."""


def came_later(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter, now=COUNTED + timedelta(hours=1))


def weekly(newsletter: Newsletter) -> None:
    subscription = confirmed(RITA, newsletter, now=COUNTED - timedelta(days=2))
    preferences.change_cadence(
        subscription=subscription, cadence="weekly", evidence=consent.Evidence(), now=COUNTED - timedelta(days=1)
    )
    # What she chose afterwards does not count.
    preferences.change_cadence(
        subscription=subscription, cadence="daily", evidence=consent.Evidence(), now=COUNTED + timedelta(days=1)
    )


def left_before(newsletter: Newsletter) -> None:
    subscription = confirmed(RITA, newsletter, now=COUNTED - timedelta(days=2))
    signup.unsubscribe(
        subscription=subscription, evidence=consent.Evidence(), reason="one_click", now=COUNTED - timedelta(days=1)
    )


def blocked(newsletter: Newsletter) -> None:
    reader = confirmed(RITA, newsletter, now=COUNTED - timedelta(days=2)).subscriber
    at = COUNTED - timedelta(days=1)
    suppression.suppress(address_key=reader.address_key, reason=Suppression.Reason.MANUAL, actor=None, now=at)


def paused(newsletter: Newsletter) -> None:
    subscription = confirmed(RITA, newsletter, now=COUNTED - timedelta(days=2))
    Subscription.objects.filter(pk=subscription.pk).update(paused_until=COUNTED + timedelta(days=3))


def behind(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter, now=COUNTED - timedelta(days=2))
    terms = LegalDocument.objects.get(kind="terms")
    version = legal.draft(document=terms, body_markdown="Be kinder.", now=COUNTED)
    legal.publish_version(version=version, actor=None, now=COUNTED)
    demands.demand(newsletter=newsletter, version=version, actor=None, now=COUNTED - timedelta(days=1))


def unexplained(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter, now=COUNTED - timedelta(days=2))


def erased(newsletter: Newsletter) -> None:
    reader = confirmed(RITA, newsletter, now=COUNTED - timedelta(days=2)).subscriber
    at = COUNTED + timedelta(days=3)
    erasure.erase(address_key=reader.address_key, evidence=consent.Evidence(), actor=None, now=at)


@rows(
    ("before", "words"),
    [
        (stranger, "nobody with this address is a reader, and the consent record does not know it"),
        (came_later, "only on 6 May 2025, 10:00 (UTC), after the audience was counted"),
        (weekly, "The reader had chosen Tech News weekly; this issue went to those who read it daily."),
        (left_before, "The reader had unsubscribed from Tech News on 5 May 2025, 09:00 (UTC)."),
        (blocked, "The address was not to be mailed: by hand."),
        (paused, "The subscription is paused until 9 May 2025."),
        (behind, "Tech News demands version 2 of “Terms of use”, and the reader had not agreed to it."),
        (unexplained, "Nothing on record explains it."),
        (erased, "That cannot be known any more: this reader was erased."),
    ],
)
def test_without_a_copy_the_record_says_why(
    sent: Issue, newsletter: Newsletter, texts: object, before: Callable[[Newsletter], None], words: str
) -> None:
    before(newsletter)
    assert words in sentence_on(sent)


def test_of_dropped_copies_it_claims_nothing(sent: Issue, newsletter: Newsletter) -> None:
    copies.copy(sent, copies.reader(newsletter, RITA), State.ACCEPTED)
    copies.close(sent, state=Issue.State.SENT)
    Issue.objects.filter(pk=sent.pk).update(copies_until=sent.deliveries.get().pk)
    history.maintain(now=COUNTED + timedelta(days=1))
    history.maintain(now=timezone.now())
    sent.refresh_from_db()
    explanation = why.explain_address(issue=sent, address=RITA, now=timezone.now())
    assert explanation.got is None
    assert explanation.sentence.startswith("That cannot be known any more: the copies of this issue were deleted")


def test_the_page_answers_for_those_who_may_see_readers(sent: Issue, newsletter: Newsletter, staff: Staff) -> None:
    reader = copies.reader(newsletter, RITA)
    copies.copy(sent, reader, State.ACCEPTED)
    page, publisher = f"/admin/digests/issue/{sent.pk}/why/", staff("Publisher")

    response = publisher.post(page, {"address": "Rita@Reader.org"})
    assert response["Location"] == f"{page}?reader={reader.pk}"
    assert "mail server took the copy" in publisher.get(response["Location"]).content.decode()
    assert "does not know it" in publisher.post(page, {"address": "nobody@reader.org"}).content.decode()
    assert "id_address" in publisher.post(page, {"address": "no address"}).content.decode()
    theirs = publisher.get(f"/admin/digests/issue/why/{reader.pk}/").content.decode()
    assert f"{page}?reader={reader.pk}" in theirs
    editor = staff("Editor")
    assert [editor.get(address).status_code for address in (page, f"/admin/digests/issue/why/{reader.pk}/")] == [
        403
    ] * 2


def test_a_draft_says_who_would_get_it(newsletter: Newsletter) -> None:
    reader: Subscriber = copies.reader(newsletter, RITA)
    draft = Issue.objects.create(
        newsletter=newsletter, cadence=Cadence.DAILY, created_at=datetime(2025, 5, 6, tzinfo=UTC)
    )
    assert "The reader would get it now." in sentence_on(draft)
    Subscription.objects.filter(subscriber=reader).update(paused_until=timezone.now() + timedelta(days=9))
    assert "The reader would not get it now. The subscription is paused until" in sentence_on(draft)
    assert connection.in_atomic_block
