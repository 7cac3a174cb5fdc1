"""What a lane owes to others: it takes nothing in vain, holds nothing for nobody, and leaves the server politely."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from digests.models import Issue
from digests.sending import attempts, claims, lanes, outcomes
from digests.sending.pacing import rate_limits
from digests.sending.tests.conftest import ScriptedTransport, accepted, expire_leases, refuse, states
from digests.sending.tests.test_lanes import Greedy, Slow, use
from postal import limiter
from postal.transports.base import Copy, Outcome, Phase

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


@pytest.mark.parametrize("state", [Issue.State.PAUSED, Issue.State.CANCELLED, Issue.State.SENT])
def test_nothing_is_claimed_of_an_issue_that_is_not_being_sent(
    sending: Start, transport: ScriptedTransport, state: str
) -> None:
    issue = sending(2)
    Issue.objects.filter(pk=issue.pk).update(state=state)
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    assert set(issue.deliveries.values_list("state", "fence")) == {("pending", 0)}


def test_the_server_is_left_politely_whatever_happened(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[int] = []
    monkeypatch.setattr(transport, "close", lambda: closed.append(1))
    lanes.run(issue_id=sending(1).pk, lane=0)
    assert closed == [1]

    def breaks(copy: Copy) -> Outcome:
        raise ZeroDivisionError

    transport.verdict = breaks
    with pytest.raises(ZeroDivisionError):
        lanes.run(issue_id=sending(1).pk, lane=0)
    assert closed == [1, 1]


def test_a_lane_begins_where_the_rows_of_its_issue_begin(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first claim would walk over every copy that was ever sent."""
    sending(5)
    issue = sending(1)
    begins: list[int] = []
    honest = claims.claim

    def claim(*, issue_id: int, after: int, limit: int) -> claims.Batch | None:
        begins.append(after)
        return honest(issue_id=issue_id, after=after, limit=limit)

    monkeypatch.setattr(claims, "claim", claim)
    lanes.run(issue_id=issue.pk, lane=0)
    first, last = issue.deliveries.earliest("pk").pk, issue.deliveries.latest("pk").pk
    assert min(begins) == first - 1
    assert max(begins) == last


def test_leases_are_kept_as_long_as_was_set_and_not_more_often_than_needed(
    sending: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, lease_seconds=600))
    issue = sending(1)
    renewals: list[float] = []
    renew = attempts.renew

    def renewed(*, batches: Collection[claims.Batch], lease_seconds: int) -> int:
        renewals.append(lease_seconds)
        return renew(batches=batches, lease_seconds=lease_seconds)

    def look() -> None:
        lease = issue.deliveries.get().lease_until
        assert lease is not None
        assert 500 < (lease - timezone.now()).total_seconds() <= 600

    def wait() -> None:
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 250)

    use(monkeypatch, Slow(look, wait, look, look))
    monkeypatch.setattr(attempts, "renew", renewed)
    lanes.run(issue_id=issue.pk, lane=0)
    assert renewals == [600]


@pytest.mark.parametrize(("in_flight", "readers"), [(20, 100), (3, 9)])
def test_the_rows_are_asked_for_a_quarter_of_what_may_be_in_flight_not_for_each_copy(
    sending: Start, monkeypatch: pytest.MonkeyPatch, in_flight: int, readers: int
) -> None:
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, copies_in_flight=in_flight))
    issue = sending(readers)
    wanted: list[int] = []
    honest = claims.claim

    def claim(*, issue_id: int, after: int, limit: int) -> claims.Batch | None:
        wanted.append(limit)
        return honest(issue_id=issue_id, after=after, limit=limit)

    grant = rate_limits.RateLimiter.grant

    def asked_for(self: rate_limits.RateLimiter, *, wanted: int, patience: float) -> limiter.Grant:
        asked.append(wanted)
        return grant(self, wanted=wanted, patience=patience)

    asked: list[int] = []
    monkeypatch.setattr(rate_limits.RateLimiter, "grant", asked_for)
    monkeypatch.setattr(claims, "claim", claim)
    use(monkeypatch, Greedy(issue))
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": readers}
    assert min(*wanted, *asked) >= max(1, in_flight // 4)


@pytest.mark.parametrize("nothing", ["no grant", "no copy whose turn it is"])
def test_a_lane_with_copies_on_the_wire_does_not_end_for_want_of_more(
    sending: Start, monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    """It had no time to wait; when the wire is empty, it has. Meanwhile it does not ask after every answer."""
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, copies_in_flight=3))
    monkeypatch.setattr(lanes, "ASK_AGAIN_SECONDS", 1_000)
    issue = sending(6)
    grant, admit = rate_limits.RateLimiter.grant, rate_limits.RateLimiter.admit
    asked: list[float] = []

    def scarce(self: rate_limits.RateLimiter, *, wanted: int, patience: float) -> limiter.Grant:
        asked.append(patience)
        if nothing == "no grant" and not patience:
            raise rate_limits.NoGrant
        return grant(self, wanted=wanted, patience=patience)

    def thin(self: rate_limits.RateLimiter, *, batch: claims.Batch | None, grant: limiter.Grant) -> claims.Batch | None:
        if asked[-1] or batch is None:
            return admit(self, batch=batch, grant=grant)
        claims.release(batch=batch)
        return claims.Batch(issue.pk, (), 0)

    monkeypatch.setattr(rate_limits.RateLimiter, "grant", scarce)
    monkeypatch.setattr(rate_limits.RateLimiter, "admit", thin)
    use(monkeypatch, Greedy(issue))
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.IDLE
    assert states(issue) == {"accepted": 6}
    assert asked.count(0) == 1


def test_a_server_that_answers_some_is_not_away(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, copies_in_flight=2))
    issue = sending(4)
    lost = issue.deliveries.earliest("pk")

    def verdict(copy: Copy) -> Outcome:
        return refuse("deferred", Phase.CONNECT)(copy) if copy.delivery_id == lost.pk else accepted(copy)

    transport.verdict = verdict
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.IDLE
    assert states(issue) == {"deferred": 1, "accepted": 3}


def test_the_place_of_a_lane_does_not_go_back_for_what_was_put_off(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each copy that is tried again would cost a walk over all that have left since."""
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, copies_in_flight=1))
    issue = sending(5)
    early = issue.deliveries.earliest("pk")
    later = timezone.now() + timedelta(hours=1)
    issue.deliveries.filter(pk=early.pk).update(state="deferred", due_at=later)
    places: list[int] = []
    honest = claims.claim

    def claim(*, issue_id: int, after: int, limit: int) -> claims.Batch | None:
        places.append(after)
        return honest(issue_id=issue_id, after=after, limit=limit)

    def now_due(_copies: Sequence[Copy]) -> None:
        if len(transport.taken) == 2:
            issue.deliveries.filter(pk=early.pk).update(due_at=timezone.now() - timedelta(hours=1))

    transport.before = now_due
    monkeypatch.setattr(claims, "claim", claim)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 5}
    on_the_way = places[:-1] if places[-1] == issue.copies_after else places
    assert on_the_way == sorted(on_the_way)


@pytest.mark.parametrize("fault", [DatabaseError, InterfaceError])
def test_a_database_that_goes_away_does_not_hold_up_what_is_on_the_wire(
    sending: Start, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    """The lane asks it for nothing more until all was answered; then its lock is gone, and it ends."""
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, copies_in_flight=4))
    monkeypatch.setattr(connection, "close", lambda: None)
    issue = sending(8)
    claim, settle = claims.claim, outcomes.settle
    asked: list[str] = []

    def claimed(*, issue_id: int, after: int, limit: int) -> claims.Batch | None:
        asked.append("claim")
        if asked.count("claim") == 2:
            raise fault
        return claim(issue_id=issue_id, after=after, limit=limit)

    def settled(**what: object) -> int:
        asked.append("settle")
        return settle(**what)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(claims, "claim", claimed)
    monkeypatch.setattr(outcomes, "settle", settled)
    use(monkeypatch, Greedy(issue))
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.UNHELD
    assert asked == ["claim", "settle", "claim", "settle"]
    assert states(issue) == {"accepted": 4, "pending": 4}


class Silent(ScriptedTransport):
    """Never says anything of a copy, until the task is cut off."""

    def results(self, timeout: float) -> list[Outcome]:
        if self.at_hand:
            raise SoftTimeLimitExceeded
        return []


def test_a_copy_of_which_nothing_was_heard_is_held_no_longer_than_its_lease(
    sending: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has to come onto the list."""
    issue = sending(4)
    use(monkeypatch, Silent())
    with pytest.raises(SoftTimeLimitExceeded):
        lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"attempting": 4}
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    assert claims.recover() == 4
    assert states(issue) == {"uncertain": 4}
