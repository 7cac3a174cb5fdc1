"""The engine's tasks. A task carries integers only and may run 0, 1 or 5 times."""

from __future__ import annotations

from typing import Final

from celery import shared_task
from django.conf import settings

from core import database_clock
from digests.sending import draining, lanes, preparing, sweeper

SOON: Final = 75


def hint_wake(issue_id: int) -> None:
    """Have a worker look at the issue once this transaction is committed; a lost hint costs a minute."""
    wake_issue.delay_on_commit(issue_id)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task


def hint_wake_in(seconds: float, issue_id: int) -> None:
    """The same, in `seconds`; what is more than about a minute away waits for the clock."""
    if seconds <= 0:
        hint_wake(issue_id)
    elif seconds <= SOON:
        wake_issue.hint_in(seconds, issue_id)  # type: ignore[attr-defined]  # of newsroom.celery's tasks


def hint_lane(issue_id: int, lane: int) -> None:
    """Have a worker run the lane."""
    run_lane.delay_on_commit(issue_id, lane)  # type: ignore[attr-defined]  # as above


def _hint_lanes(issue_id: int) -> None:
    for lane in range(settings.SENDING.lanes):
        hint_lane(issue_id, lane)


def hint_plan(issue_id: int) -> None:
    """Have a worker plan the issue's audience."""
    plan_issue.delay_on_commit(issue_id)  # type: ignore[attr-defined]  # as above


@shared_task
def wake_issue(issue_id: int) -> None:
    """Close or sweep an issue; queue its lanes when it is being sent, and its plan when it is to begin."""
    now = database_clock.now()
    if sweeper.wake(issue_id=issue_id, now=now):
        _hint_lanes(issue_id)
    elif preparing.is_due(issue_id=issue_id, now=now):
        hint_plan(issue_id)


@shared_task
def plan_issue(issue_id: int) -> None:
    """Plan an issue's audience, which may take a minute: beside the lanes, where no tick has to wait for it."""
    now = database_clock.now()
    if preparing.prepare(issue_id=issue_id, now=now):
        hint_wake(issue_id)
        for instead in preparing.begin_in_its_place(issue_id=issue_id, now=now):
            hint_plan(instead)


@shared_task
def run_lane(issue_id: int, lane: int) -> None:
    """Run one lane of an issue, and queue it again when its minute is over before its work is."""
    ending = lanes.run(issue_id=issue_id, lane=lane)
    if ending in {lanes.Ending.TIME, lanes.Ending.UNHELD, lanes.Ending.ASLEEP} or draining.asked():
        hint_lane(issue_id, lane)
        return
    seconds = lanes.look_again_in(issue_id=issue_id, lane=lane, ending=ending)
    if seconds is not None:
        run_lane.hint_in(seconds, issue_id, lane)  # type: ignore[attr-defined]  # as above
