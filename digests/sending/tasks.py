"""The engine's doors for the broker. A task carries integers only and may run 0, 1 or 5 times."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from digests.sending import draining, lanes, pump


@shared_task
def wake_issue(issue_id: int) -> None:
    """Plan, close or sweep an issue, and queue its lanes when it is being sent."""
    if pump.wake(issue_id=issue_id, now=timezone.now()):
        for lane in range(settings.SENDING["LANES"]):
            run_lane.delay_on_commit(issue_id, lane)


@shared_task
def run_lane(issue_id: int, lane: int) -> None:
    """Run one lane of an issue, and queue it anew when its minute is over before its work is."""
    ending = lanes.run(issue_id=issue_id, lane=lane)
    if ending is lanes.Ending.TIME or draining.asked():
        run_lane.delay_on_commit(issue_id, lane)
