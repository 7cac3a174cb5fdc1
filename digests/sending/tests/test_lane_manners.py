"""What a lane owes to others: it takes nothing in vain, holds nothing for nobody, and leaves the server politely."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, lanes, transports
from digests.sending.tests.conftest import ToldTransport, accepted, expire_leases, states
from digests.sending.transports.base import Copy, More, Outcome, nothing_more

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


@pytest.mark.parametrize("state", [Issue.State.PAUSED, Issue.State.CANCELLED, Issue.State.SENT])
def test_nothing_is_claimed_of_an_issue_that_is_not_being_sent(
    sending: Start, transport: ToldTransport, state: str
) -> None:
    issue = sending(2)
    Issue.objects.filter(pk=issue.pk).update(state=state)
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    assert set(issue.deliveries.values_list("state", "fence")) == {("pending", 0)}


def test_the_server_is_left_politely_whatever_happened(
    sending: Start, transport: ToldTransport, monkeypatch: pytest.MonkeyPatch
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
    sending: Start, transport: ToldTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first claim would walk over every copy that the house ever sent."""
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


class Forgetful(ToldTransport):
    """Says nothing of the first copy it was ever given."""

    forgot: Copy | None = None

    def hand_over(self, copies: Sequence[Copy], *, more: More = nothing_more) -> Iterator[Outcome]:
        if self.forgot is None:
            self.forgot, copies = copies[0], copies[1:]
        else:
            more()
        yield from map(accepted, copies)


def test_a_copy_of_which_nothing_was_heard_is_held_no_longer_than_its_lease(
    sending: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next copies' leases are kept, this one's is not: it has to come onto the list."""
    monkeypatch.setitem(settings.SENDING, "COPIES_IN_FLIGHT", 2)
    issue = sending(4)
    forgetful = Forgetful()
    monkeypatch.setattr(transports, "for_settings", lambda: forgetful)
    ends = forgetful.hand_over

    def slowly(copies: Sequence[Copy], *, more: More = nothing_more) -> Iterator[Outcome]:
        expire_leases(issue, timezone.now() - timedelta(hours=1))
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 50)
        yield from ends(copies, more=more)

    monkeypatch.setitem(settings.SENDING, "LANE_SECONDS", 1_000)
    monkeypatch.setattr(forgetful, "hand_over", slowly)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"attempting": 1, "accepted": 3}
    assert claims.recover() == 1
    assert forgetful.forgot is not None
    assert issue.deliveries.get(state="uncertain").pk == forgetful.forgot.delivery_id
