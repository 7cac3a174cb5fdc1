"""Claims: each row has one holder, a fence says who, and a lease that ran out frees or lists it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from digests.models import Delivery, Issue
from digests.sending import attempts, claims, merge, outcomes
from digests.sending.tests.conftest import expire_leases, states
from postal.transports.base import Copy, Outcome, Phase

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


def claimed(issue: Issue, limit: int = 50, after: int = 0) -> claims.Batch:
    batch = claims.claim(issue_id=issue.pk, after=after, limit=limit)
    assert batch is not None
    return batch


def test_a_row_is_claimed_once(sending: Start) -> None:
    issue = sending(5)
    first = claimed(issue, limit=3)
    second = claimed(issue, limit=3)
    assert len(first.ids) == 3
    assert len(second.ids) == 2
    assert not set(first.ids) & set(second.ids)
    assert claims.claim(issue_id=issue.pk, after=0, limit=3) is None
    assert second.fence > first.fence


def test_a_claim_goes_on_behind_the_place_of_the_lane(sending: Start) -> None:
    issue = sending(6)
    ids = list(issue.deliveries.order_by("pk").values_list("pk", flat=True))
    assert claimed(issue, limit=2, after=ids[2]).ids == tuple(ids[3:5])


def test_deferred_rows_are_claimed_when_their_hour_has_come(sending: Start) -> None:
    issue = sending(2)
    early, late = issue.deliveries.order_by("pk")
    hour = timedelta(hours=1)
    issue.deliveries.filter(pk=early.pk).update(state="deferred", due_at=timezone.now() - hour)
    issue.deliveries.filter(pk=late.pk).update(state="deferred", due_at=timezone.now() + hour)
    assert claimed(issue, after=late.pk).ids == (early.pk,)
    early.refresh_from_db()
    assert early.due_at is None


@pytest.mark.parametrize("waiting", ["pending", "deferred"])
def test_a_claim_takes_copies_of_its_own_issue_only(sending: Start, waiting: str) -> None:
    """A lane has one letter in its hands: what it claims of another issue would be that reader's wrong letter."""
    issues = [sending(2), sending(2)]
    Delivery.objects.update(state=waiting, due_at=timezone.now() - timedelta(minutes=1))
    for issue in reversed(issues):
        ours = set(issue.deliveries.values_list("pk", flat=True))
        assert set(claimed(issue).ids) == ours


def one_in_each(issue: Issue, states: Iterable[str], **fields: object) -> None:
    for copy, state in zip(issue.deliveries.all(), states, strict=True):
        issue.deliveries.filter(pk=copy.pk).update(state=state, **fields)


def test_only_what_waits_is_claimed(sending: Start) -> None:
    """Whatever hour a copy has on record."""
    other = set(Delivery.State) - {Delivery.State.PENDING, Delivery.State.DEFERRED}
    issue = sending(len(other))
    hour = timedelta(hours=1)
    one_in_each(issue, other, due_at=timezone.now() - hour, lease_until=timezone.now() + hour)
    assert claims.claim(issue_id=issue.pk, after=0, limit=50) is None


def test_what_was_put_off_comes_first_and_in_the_order_of_its_hours(sending: Start) -> None:
    issue = sending(6)
    *fresh, third, second, first = issue.deliveries.order_by("pk").values_list("pk", flat=True)
    for minutes, one in enumerate([third, second, first]):
        due_at = timezone.now() - timedelta(minutes=1 + minutes)
        issue.deliveries.filter(pk=one).update(state="deferred", due_at=due_at)
    with connection.cursor() as cursor:
        # Whichever way the planner takes to them.
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
    assert [claimed(issue, limit=1).ids for _ in range(2)] == [(first,), (second,)]
    assert claimed(issue, limit=3).ids == (*fresh[:2], third)


def test_a_claim_leaves_nothing_behind_its_place(sending: Start) -> None:
    """Also of rows that were written again meanwhile, and so stand behind the others on their page."""
    issue = sending(6)
    ids = tuple(issue.deliveries.order_by("pk").values_list("pk", flat=True))
    assert claims.release(batch=claimed(issue, limit=2)) == 2
    assert claimed(issue, limit=3).ids == ids[:3]


def test_a_claim_that_ran_out_is_free_again(sending: Start) -> None:
    issue = sending(2)
    claimed(issue)
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    issue.deliveries.update(reason="other")
    assert claims.recover() == 2
    as_before = {"state": "pending", "reason": "other", "settled_at": None, "lease_until": None}
    assert list(issue.deliveries.values(*as_before)) == [as_before] * 2


def test_an_attempt_that_ran_out_is_uncertain_with_a_reason(sending: Start) -> None:
    issue = sending(2)
    claimed(issue)
    issue.deliveries.update(state="attempting")
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()
    for copy in issue.deliveries.all():
        assert (copy.state, copy.reason) == ("uncertain", "sender_stopped")
        assert copy.settled_at is not None
        assert copy.lease_until is None


def test_a_claim_is_held_for_as_long_as_was_set(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(1)
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, lease_seconds=300))
    claimed(issue)
    lease = issue.deliveries.get().lease_until
    assert lease is not None
    assert 290 < (lease - timezone.now()).total_seconds() <= 300


def test_an_old_lease_moves_nothing_that_nobody_holds(sending: Start) -> None:
    other = set(Delivery.State) - {Delivery.State.CLAIMED, Delivery.State.ATTEMPTING}
    issue = sending(len(other))
    one_in_each(issue, other, lease_until=timezone.now() - timedelta(hours=1), due_at=timezone.now())
    assert claims.recover() == 0


def test_a_lease_that_runs_is_left_alone(sending: Start) -> None:
    issue = sending(2)
    claimed(issue)
    assert claims.recover() == 0
    assert states(issue) == {"claimed": 2}


def test_who_lost_the_fence_settles_nothing(sending: Start) -> None:
    issue = sending(1)
    old = claimed(issue)
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()
    claimed(issue)
    issue.deliveries.update(state="attempting")
    late = Outcome(delivery_id=old.ids[0], state="rejected", phase=Phase.RCPT)
    assert outcomes.settle(batches=[old], outcomes=[late], tripped=False) == 0
    assert claims.release(batch=old) == 0
    assert states(issue) == {"attempting": 1}


def test_deferred_copies_of_an_old_issue_expire(sending: Start) -> None:
    issue = sending(2)
    issue.deliveries.update(state="deferred", due_at=timezone.now())
    assert claims.expire() == 0
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=25))
    assert claims.expire() == 2
    for copy in issue.deliveries.all():
        assert (copy.state, copy.reason, copy.due_at) == ("expired", "too_old", None)
        assert copy.settled_at is not None


def test_a_mailbox_that_stayed_full_is_on_record_when_its_copy_expires(sending: Start) -> None:
    """It counts against the mailbox."""
    issue = sending(1)
    issue.deliveries.update(state="deferred", due_at=timezone.now(), reason="mailbox_full")
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=25))
    assert claims.expire() == 1
    assert list(issue.deliveries.values_list("state", "reason")) == [("expired", "mailbox_full")]


def test_how_old_an_issue_may_become_is_set(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(1)
    issue.deliveries.update(state="deferred", due_at=timezone.now())
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=25))
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, max_age_hours=48))
    assert claims.expire() == 0


def test_only_what_was_put_off_becomes_too_old(sending: Start) -> None:
    """What was not tried yet is for a person, and for the hours in which issues may leave."""
    other = set(Delivery.State) - {Delivery.State.DEFERRED}
    issue = sending(len(other))
    one_in_each(issue, other, due_at=timezone.now(), lease_until=timezone.now())
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=25))
    assert claims.expire() == 0


def test_nothing_becomes_too_old_while_its_issue_is_paused(sending: Start) -> None:
    issue = sending(1)
    issue.deliveries.update(state="deferred", due_at=timezone.now())
    old = timezone.now() - timedelta(hours=25)
    Issue.objects.filter(pk=issue.pk).update(started_at=old, state=Issue.State.PAUSED)
    assert claims.expire() == 0


def test_a_row_that_another_lane_took_while_its_copy_was_built_is_not_attempted(
    sending: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(2)
    batch = claimed(issue)
    merger = merge.Merger(Issue.objects.select_related("newsletter", "snapshot").get(pk=issue.pk), needs="payload")
    honest = merger.copies

    def slowly(*, rows: Iterable[merge.Row]) -> tuple[list[Copy], list[int]]:
        built = honest(rows=rows)
        issue.deliveries.filter(pk=batch.ids[0]).update(fence=batch.fence + 1)
        return built

    monkeypatch.setattr(merger, "copies", slowly)
    attempted = attempts.record_attempts(batch=batch, merger=merger, lease_seconds=60)

    assert [copy.delivery_id for copy in attempted] == [batch.ids[1]]
    assert issue.deliveries.get(pk=batch.ids[0]).state == "claimed"


def test_who_lost_the_fence_gives_nothing_back(sending: Start) -> None:
    issue = sending(2)
    slow = claimed(issue)
    expire_leases(issue, timezone.now() - timedelta(seconds=1))
    assert claims.recover() == 2
    claimed(issue)
    assert claims.release(batch=slow) == 0
    assert states(issue) == {"claimed": 2}


def test_what_was_attempted_is_not_given_back(sending: Start) -> None:
    issue = sending(2)
    batch = claimed(issue)
    issue.deliveries.filter(pk=batch.ids[0]).update(state="attempting")
    assert claims.release(batch=batch) == 1
    assert states(issue) == {"attempting": 1, "pending": 1}
    assert issue.deliveries.get(state="pending").lease_until is None


def test_only_what_this_lane_attempted_is_held_for_longer(sending: Start) -> None:
    """Neither what is settled or back in the queue meanwhile, nor what another lane took."""
    issue = sending(3)
    batch = claimed(issue)
    settled, taken, ours = issue.deliveries.order_by("pk")
    issue.deliveries.update(state="attempting")
    issue.deliveries.filter(pk=settled.pk).update(state="uncertain", lease_until=None)
    issue.deliveries.filter(pk=taken.pk).update(fence=batch.fence + 1)
    before = dict(issue.deliveries.values_list("pk", "lease_until"))

    attempts.renew(batches=[batch], lease_seconds=3_600)

    after = dict(issue.deliveries.values_list("pk", "lease_until"))
    assert {pk for pk in after if after[pk] != before[pk]} == {ours.pk}


@pytest.mark.parametrize("state", [Issue.State.PAUSED, Issue.State.CANCELLED])
def test_what_a_dead_lane_held_is_recovered_whatever_became_of_the_issue(sending: Start, state: str) -> None:
    issue = sending(2)
    batch = claimed(issue)
    issue.deliveries.filter(pk=batch.ids[0]).update(state="attempting")
    expire_leases(issue, timezone.now() - timedelta(seconds=1))
    Issue.objects.filter(pk=issue.pk).update(state=state)
    assert claims.recover() == 2
    assert states(issue) == {"uncertain": 1, "pending": 1}
