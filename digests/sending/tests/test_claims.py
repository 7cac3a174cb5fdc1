"""Claims: each row has one holder, a fence says who, and a lease that ran out frees or lists it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, intents, merge, outcomes
from digests.sending.tests.conftest import expire_leases, states
from digests.sending.transports.base import Copy, Outcome, Phase

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


def test_a_claim_that_ran_out_is_free_again(sending: Start) -> None:
    issue = sending(2)
    claimed(issue)
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    assert claims.recover() == 2
    assert states(issue) == {"pending": 2}


def test_an_attempt_that_ran_out_is_uncertain_with_a_reason(sending: Start) -> None:
    issue = sending(2)
    claimed(issue)
    issue.deliveries.update(state="attempting")
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()
    assert states(issue) == {"uncertain": 2}
    assert issue.deliveries.filter(reason="", settled_at=None).count() == 0


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
    assert states(issue) == {"expired": 2}


def test_a_row_that_another_lane_took_while_its_copy_was_built_is_not_promised(
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
    promised = intents.intend(batch=batch, merger=merger, lease_seconds=60)

    assert [copy.delivery_id for copy in promised] == [batch.ids[1]]
    assert issue.deliveries.get(pk=batch.ids[0]).state == "claimed"


def test_who_lost_the_fence_gives_nothing_back(sending: Start) -> None:
    issue = sending(2)
    slow = claimed(issue)
    expire_leases(issue, timezone.now() - timedelta(seconds=1))
    assert claims.recover() == 2
    claimed(issue)
    assert claims.release(batch=slow) == 0
    assert states(issue) == {"claimed": 2}


def test_what_was_promised_is_not_given_back(sending: Start) -> None:
    issue = sending(2)
    batch = claimed(issue)
    issue.deliveries.filter(pk=batch.ids[0]).update(state="attempting")
    assert claims.release(batch=batch) == 1
    assert states(issue) == {"attempting": 1, "pending": 1}


def test_only_what_this_lane_promised_is_held_for_longer(sending: Start) -> None:
    """Neither what is settled or back in the queue meanwhile, nor what another lane took."""
    issue = sending(3)
    batch = claimed(issue)
    settled, taken, ours = issue.deliveries.order_by("pk")
    issue.deliveries.update(state="attempting")
    issue.deliveries.filter(pk=settled.pk).update(state="uncertain", lease_until=None)
    issue.deliveries.filter(pk=taken.pk).update(fence=batch.fence + 1)
    before = dict(issue.deliveries.values_list("pk", "lease_until"))

    intents.renew(batches=[batch], lease_seconds=3_600)

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
