"""A person's decision about uncertain copies changes only these copies, and is recorded."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from core.reasons import Reason
from digests import issue_reasons, uncertain
from digests.models import Delivery, Issue
from digests.tests import copies
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db

Copy, State = Delivery.State, Issue.State


def states_of(issue: Issue) -> Counter[str]:
    return Counter(issue.deliveries.values_list("state", flat=True))


def ended(newsletter: Newsletter, *states: Delivery.State, state: Issue.State = State.SENT_WITH_EXCEPTIONS) -> Issue:
    issue = copies.issue(newsletter, state=state, audience=len(states))
    for one in states:
        copies.copy(issue, None, one)
    Issue.objects.filter(pk=issue.pk).update(
        finished_at=copies.LEFT_AT, **issue_reasons.columns(Reason("exceptions", {"uncertain": 1}))
    )
    return issue


def test_calling_the_last_one_accepted_ends_the_exceptions(newsletter: Newsletter) -> None:
    issue = ended(newsletter, Copy.UNCERTAIN, Copy.ACCEPTED)
    now = timezone.now()
    assert uncertain.accept(issue=issue, deliveries=None, actor=None, now=now) == 1
    issue.refresh_from_db()
    assert (issue.state, issue.state_reason, states_of(issue)) == (State.SENT, "", {"accepted": 2})
    decided = issue.deliveries.exclude(reason="").get()
    assert (decided.reason, decided.settled_at) == ("called_accepted", now)


@rows("other", Delivery.EXCEPTIONS)
def test_while_somebody_else_may_be_without_a_copy_the_exceptions_stay(newsletter: Newsletter, other: str) -> None:
    issue = ended(newsletter, Copy.UNCERTAIN, Copy(other))
    first = issue.deliveries.earliest("pk")
    assert uncertain.accept(issue=issue, deliveries=[first.pk], actor=None, now=timezone.now()) == 1
    issue.refresh_from_db()
    assert (issue.state, states_of(issue)[other]) == (State.SENT_WITH_EXCEPTIONS, 1)


@rows("state", [State.SENDING, State.PAUSED, State.CANCELLED])
def test_calling_copies_accepted_ends_no_issue_that_has_not_ended(newsletter: Newsletter, state: Issue.State) -> None:
    issue = ended(newsletter, Copy.UNCERTAIN, Copy.PENDING, state=state)
    uncertain.accept(issue=issue, deliveries=None, actor=None, now=timezone.now())
    issue.refresh_from_db()
    assert (issue.state, states_of(issue)) == (state, {"accepted": 1, "pending": 1})


def test_what_is_sent_again_starts_over(newsletter: Newsletter) -> None:
    issue = ended(newsletter, Copy.UNCERTAIN)
    long_ago, now = copies.LEFT_AT - timedelta(days=1), timezone.now()
    issue.deliveries.update(fence=0, settled_at=long_ago, lease_until=long_ago)
    assert uncertain.resend(issue=issue, deliveries=None, actor=None, now=now) == 1
    again = issue.deliveries.get()
    assert (again.state, again.reason) == (Copy.PENDING, "sent_again")
    assert (again.settled_at, again.lease_until) == (None, None)
    # A lane that held it before cannot settle it.
    assert again.fence > 0
    issue.refresh_from_db()
    assert (issue.state, issue.state_reason, issue.finished_at, issue.updated_at) == (State.SENDING, "", None, now)


@pytest.mark.parametrize("state", [State.SENDING, State.PAUSED])
def test_sending_again_moves_no_issue_that_has_not_ended(newsletter: Newsletter, state: Issue.State) -> None:
    issue = ended(newsletter, Copy.UNCERTAIN, state=state)
    assert uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now()) == 1
    issue.refresh_from_db()
    assert (issue.state, states_of(issue)) == (state, {"pending": 1})


def test_sending_nothing_again_opens_no_issue(newsletter: Newsletter) -> None:
    issue = ended(newsletter, Copy.EXPIRED)
    assert uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now()) == 0
    issue.refresh_from_db()
    assert (issue.state, issue.finished_at) == (State.SENT_WITH_EXCEPTIONS, copies.LEFT_AT)


@pytest.mark.parametrize("verb", [uncertain.accept, uncertain.resend])
def test_only_uncertain_copies_of_this_issue_that_were_chosen_are_touched(newsletter: Newsletter, verb: object) -> None:
    states = [one for one in Copy if one != Copy.UNCERTAIN]
    issue = ended(newsletter, *states, Copy.UNCERTAIN, Copy.UNCERTAIN)
    other = ended(newsletter, Copy.UNCERTAIN)
    before = dict(Delivery.objects.values_list("pk", "state"))
    chosen = issue.deliveries.latest("pk").pk
    touched = verb(issue=issue, deliveries=[chosen, *issue.deliveries.values_list("pk", flat=True)[: len(states)],  # type: ignore[operator]  # one of the two verbs
                                            other.deliveries.get().pk], actor=None, now=timezone.now())  # fmt: skip
    assert touched == 1
    after = dict(Delivery.objects.values_list("pk", "state"))
    assert {pk for pk in after if after[pk] != before[pk]} == {chosen}
