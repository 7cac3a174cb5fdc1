"""Two tabs, two clocks, two pumps at the same instant: one approval, one audience, one copy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests import approval, uncertain
from digests.models import Delivery, Issue
from digests.sending import lanes, preparing, sweeper
from digests.sending.tests.conftest import ScriptedTransport, frozen_issue, states, subscribe
from subscribers.models import Newsletter
from tests import threads

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[[int], Issue]
TIMES = 4


def noted(deed: Callable[[], Any], results: list[Any]) -> Callable[[], None]:
    return lambda: results.append(deed())


def test_planned_by_several_at_once_there_is_one_audience(newsletter: Newsletter) -> None:
    subscribe(newsletter, 50)
    issue = frozen_issue(newsletter)
    began: list[bool] = []
    now = timezone.now()

    assert threads.faults(*[noted(lambda: preparing.prepare(issue_id=issue.pk, now=now), began)] * TIMES) == []

    assert sorted(began) == [False, False, False, True]
    issue.refresh_from_db()
    assert (issue.state, issue.audience_count, issue.deliveries.count()) == (Issue.State.SENDING, 50, 50)


@pytest.mark.parametrize(("state", "verb"), [("sending", "pause"), ("paused", "resume"), ("sending", "cancel")])
def test_a_verb_from_several_tabs_works_once(sending: Start, state: str, verb: str) -> None:
    issue = sending(1)
    Issue.objects.filter(pk=issue.pk).update(state=state)

    def click() -> None:
        mine = Issue.objects.get(pk=issue.pk)
        now = timezone.now()
        reason = {} if verb == "resume" else {"reason": "Twice."}
        getattr(approval, verb)(issue=mine, actor=None, now=now, **reason)

    faults = threads.faults(*[click] * TIMES)

    assert [type(fault) for fault in faults] == [approval.NotAllowed] * (TIMES - 1)


def test_sent_again_from_several_tabs_leaves_once(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(3)
    issue.deliveries.update(state="uncertain")
    again: list[int] = []
    deed = noted(lambda: uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now()), again)

    assert threads.faults(*[deed] * TIMES) == []

    assert sorted(again) == [0, 0, 0, 3]
    lanes.run(issue_id=issue.pk, lane=0)
    assert len(transport.taken) == 3


def test_pumped_by_several_at_once_each_dead_lane_is_recovered_once(
    sending: Start, transport: ScriptedTransport
) -> None:
    issue = sending(20)
    lease = timezone.now() - timedelta(hours=1)
    Delivery.objects.update(state="attempting", fence=1, lease_until=lease)
    Delivery.objects.filter(pk__in=issue.deliveries.values("pk")[:10]).update(state="claimed")

    def pumped() -> None:
        for issue_id in sweeper.sweep(now=timezone.now()):
            sweeper.wake(issue_id=issue_id, now=timezone.now())
            lanes.run(issue_id=issue_id, lane=0)

    assert threads.faults(*[pumped] * TIMES) == []

    assert states(issue) == {"accepted": 10, "uncertain": 10}
    assert len(transport.taken) == 10
