"""What became of an issue is on record from its end on, apart from its copies, and follows each later change."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from digests import stats, uncertain
from digests.feedback import events, processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.sending import closing, history
from digests.tests import copies
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db

State = Delivery.State
AUDIENCE = [
    (State.ACCEPTED, ""),
    (State.ACCEPTED, ""),
    (State.REJECTED, "mailbox_gone"),
    (State.REJECTED, "mailbox_full"),
    (State.SUPPRESSED, "unsubscribed"),
    (State.UNCERTAIN, "sender_stopped"),
]


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    """Every copy has its result, and nobody has closed the issue yet."""
    issue = copies.issue(newsletter, audience=len(AUDIENCE))
    for number, (state, reason) in enumerate(AUDIENCE):
        copies.copy(issue, copies.reader(newsletter, f"reader{number}@readers.example"), state, reason=reason)
    return issue


def stored(issue: Issue) -> Counter[tuple[str, str]]:
    return Counter({(row.state, row.reason): row.copies for row in issue.outcomes.all()})


def of_rows(issue: Issue) -> Counter[tuple[str, str]]:
    return Counter(issue.deliveries.values_list("state", "reason"))


def reports(issue: Issue) -> dict[str, int]:
    return dict(issue.event_counts.values_list("kind", "events"))


def close(issue: Issue, now: datetime) -> None:
    assert closing.close(issue_id=issue.pk, now=now)
    issue.refresh_from_db()


def test_an_issue_that_closes_has_its_outcomes_on_record(issue: Issue, now: datetime) -> None:
    assert stored(issue) == Counter()

    close(issue, now)

    assert stored(issue) == Counter(AUDIENCE)
    assert stored(issue).total() == issue.audience_count


def test_the_record_tells_languages_apart_and_a_late_event_moves_the_copy_within_its_own(
    issue: Issue, now: datetime
) -> None:
    one = issue.deliveries.filter(state=State.UNCERTAIN)
    issue.deliveries.filter(reason="mailbox_full").update(variant="ru")
    one.update(variant="ru")
    open_copies = stats.progress(issue).by_variant
    close(issue, now)
    russian = {"rejected": 1, "uncertain": 1}
    own = {"accepted": 2, "rejected": 1, "suppressed": 1}
    assert open_copies == stats.progress(issue).by_variant == {"": own, "ru": russian}
    assert stored(issue) == Counter(AUDIENCE)

    processing.record(event=copies.event("delivered", one.get()), provider="Mailgun", now=now)

    issue.refresh_from_db()
    assert stats.progress(issue).by_variant == {"": own, "ru": {"rejected": 1, "accepted": 1}}
    assert stats.progress(issue).total == issue.audience_count


def test_the_record_is_written_with_the_end_or_not_at_all(
    issue: Issue, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(Issue, "save", fail)
    with pytest.raises(ConnectionError):
        closing.close(issue_id=issue.pk, now=now)

    assert stored(issue) == Counter()


def test_a_copy_too_few_is_seen_in_the_record(issue: Issue, now: datetime) -> None:
    issue.deliveries.filter(state=State.ACCEPTED)[0].delete()

    close(issue, now)

    assert (stored(issue).total(), stats.progress(issue).conserved) == (len(AUDIENCE) - 1, False)
    assert issue.state_reason == "audience_differs"


def test_a_cancelled_issue_has_its_outcomes_on_record_too(issue: Issue, newsletter: Newsletter) -> None:
    copies.copy(issue, copies.reader(newsletter), State.PENDING)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.CANCELLED)

    closing.sweep_cancelled(issue_id=issue.pk)

    assert stored(issue) == Counter([*AUDIENCE, (State.CANCELLED, "issue_cancelled")])


def test_a_cancelled_issue_has_no_record_while_a_copy_is_in_flight(issue: Issue, newsletter: Newsletter) -> None:
    copies.copy(issue, copies.reader(newsletter), State.ATTEMPTING)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.CANCELLED)

    closing.sweep_cancelled(issue_id=issue.pk)

    assert stored(issue) == Counter()


@rows(
    ("word", "fields", "outcome"),
    [
        ("delivered", {}, ("accepted", "reported_delivered")),
        ("bounced", {"reject_reason": "bounced", "mta_response": "550 no"}, ("rejected", "reported_bounced")),
    ],
)
def test_an_event_that_settles_a_copy_changes_the_record(
    issue: Issue, now: datetime, word: str, fields: dict[str, Any], outcome: tuple[str, str]
) -> None:
    close(issue, now)
    copy = issue.deliveries.get(state=State.UNCERTAIN)

    processing.record(event=copies.event(word, copy, **fields), provider="Mailgun", now=now)

    assert stored(issue) == of_rows(issue) == Counter([*AUDIENCE[:-1], outcome])
    issue.refresh_from_db()
    assert issue.state == Issue.State.SENT


def test_a_copy_that_comes_back_after_it_was_reported_as_delivered_is_counted_once(issue: Issue, now: datetime) -> None:
    close(issue, now)
    copy = issue.deliveries.get(state=State.UNCERTAIN)
    for word in ("delivered", "bounced", "bounced"):
        processing.record(event=copies.event(word, copy, reject_reason="bounced"), provider="Mailgun", now=now)

    assert stored(issue) == of_rows(issue) == Counter([*AUDIENCE[:-1], ("rejected", "reported_bounced")])


def test_an_event_before_the_end_leaves_the_record_to_the_end(issue: Issue, now: datetime) -> None:
    copy = issue.deliveries.get(state=State.UNCERTAIN)
    processing.record(event=copies.event("delivered", copy), provider="Mailgun", now=now)
    assert stored(issue) == Counter()

    close(issue, now)

    assert stored(issue) == of_rows(issue)


def test_what_a_person_calls_accepted_is_accepted_in_the_record(issue: Issue, now: datetime) -> None:
    close(issue, now)
    uncertain.accept(issue=issue, deliveries=None, actor=None, now=now)

    assert stored(issue) == of_rows(issue) == Counter([*AUDIENCE[:-1], ("accepted", "called_accepted")])


def test_what_is_sent_again_is_counted_until_the_issue_closes_again(issue: Issue, now: datetime) -> None:
    close(issue, now)
    uncertain.resend(issue=issue, deliveries=None, actor=None, now=now)
    issue.refresh_from_db()
    assert (stored(issue), stats.progress(issue).open) == (Counter(), 1)

    issue.deliveries.filter(state=State.PENDING).update(state=State.ACCEPTED, reason="")
    close(issue, now)

    assert stored(issue) == Counter([*AUDIENCE[:-1], (State.ACCEPTED, "")])


def test_a_late_answer_of_a_server_is_in_the_record(issue: Issue, now: datetime) -> None:
    """`sending.outcomes` writes it, and looks whether the issue can be closed."""
    close(issue, now)
    issue.deliveries.filter(state=State.UNCERTAIN).update(state=State.ACCEPTED, reason="")

    close(issue, now)

    assert stored(issue) == of_rows(issue)


@rows("state", [Issue.State.SENT_WITH_EXCEPTIONS, Issue.State.CANCELLED])
def test_a_late_answer_that_nobody_counted_is_in_the_record_once_the_copies_move(
    issue: Issue, now: datetime, state: Issue.State
) -> None:
    """The process died between the two."""
    copies.close(issue, state=state)
    ids = issue.deliveries.order_by("pk").values_list("pk", flat=True)
    Issue.objects.filter(pk=issue.pk).update(copies_after=ids[0] - 1, copies_until=ids[len(ids) - 1])
    issue.deliveries.filter(state=State.UNCERTAIN).update(state=State.ACCEPTED, reason="")

    history.maintain(now=now + timedelta(days=1))

    assert stored(issue) == of_rows(issue) == Counter([*AUDIENCE[:-1], (State.ACCEPTED, "")])
    issue.refresh_from_db()
    assert issue.state == (Issue.State.SENT if state == Issue.State.SENT_WITH_EXCEPTIONS else state)


def test_a_closed_issue_is_shown_without_a_look_at_its_copies(
    issue: Issue, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    issue.deliveries.update(settled_at=now)
    counted = stats.progress(issue)
    close(issue, now)
    issue.deliveries.all().delete()

    with django_assert_num_queries(1):
        shown = stats.progress(issue)

    assert (shown.by_state, shown.total, shown.conserved) == (counted.by_state, len(AUDIENCE), True)
    assert [(one.state, one.code, one.copies) for one in shown.outcomes] == [
        ("rejected", "mailbox_full", 1),
        ("rejected", "mailbox_gone", 1),
        ("suppressed", "unsubscribed", 1),
        ("uncertain", "sender_stopped", 1),
    ]


def test_it_says_how_long_a_closed_issue_took(issue: Issue, now: datetime) -> None:
    Issue.objects.filter(pk=issue.pk).update(started_at=now - timedelta(minutes=5))
    close(issue, now)

    shown = stats.progress(issue)

    assert shown.duration == "5 min"
    assert shown.mean_rate == pytest.approx(2 / 300)


def test_reports_are_counted_apart_from_their_rows(issue: Issue, now: datetime) -> None:
    copy = issue.deliveries.filter(state=State.ACCEPTED)[0]
    for word in ("delivered", "complained", "clicked", "clicked", "opened"):
        processing.record(event=copies.event(word, copy), provider="Mailgun", now=now)
    DeliveryEvent.objects.all().delete()

    # An opening is nobody's business unless its reader agreed, not even as a number.
    assert reports(issue) == {"delivered": 1, "complaint": 1, "click": 2}
    assert stats.events(issue) == [("delivered", 1), ("complaint", 1), ("click", 2)]


def test_a_report_that_is_repeated_or_waits_is_not_counted_again(issue: Issue, now: datetime) -> None:
    copy = issue.deliveries.filter(state=State.ACCEPTED)[0]
    waiting = copies.copy(issue, None, State.ATTEMPTING)
    early = copies.event("delivered", waiting)
    for event in [copies.event("delivered", copy, event_id="one")] * 2 + [early]:
        processing.record(event=event, provider="Mailgun", now=now)
    assert reports(issue) == {"delivered": 1}

    Delivery.objects.filter(pk=waiting.pk).update(state=State.ACCEPTED, lease_until=None)
    processing.settle(now=now + timedelta(hours=1))
    processing.settle(now=now + timedelta(hours=2))

    assert reports(issue) == {"delivered": 2}


def test_reports_that_are_settled_together_are_counted_together(issue: Issue, now: datetime) -> None:
    for copy in issue.deliveries.filter(state=State.ACCEPTED):
        events.store(events=[copies.event("delivered", copy)], provider="Mailgun", now=now)

    processing.settle(now=now)

    assert reports(issue) == {"delivered": 2}


@pytest.mark.django_db(transaction=True)
def test_a_copy_that_is_settled_while_its_issue_closes_is_in_the_record(
    elsewhere: Any, issue: Issue, now: datetime
) -> None:
    """The second one waits for the issue's row, and sees what the first has committed."""
    copy = issue.deliveries.get(state=State.UNCERTAIN)
    events.store(events=[copies.event("delivered", copy)], provider="Mailgun", now=now)
    with elsewhere.cursor() as other:
        other.execute("SET lock_timeout = '50ms'")
        with transaction.atomic():
            processing.settle(now=now)
            with pytest.raises(Exception, match="lock timeout"):
                other.execute("SELECT FROM digests_issue WHERE id = %s FOR UPDATE", [issue.pk])
            elsewhere.rollback()

    close(issue, now)

    assert stored(issue) == of_rows(issue)
