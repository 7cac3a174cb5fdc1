"""The nursery of `lane_processes`: Django is made ready once, then each order forks a lane's process."""

import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
django.setup()

# The models can only be imported once Django is set up.
from django.conf import settings  # noqa: E402  # as above
from django.utils import timezone  # noqa: E402  # as above

from digests.models import Issue  # noqa: E402  # as above
from digests.sending import closing, lanes, preparing, sweeper  # noqa: E402  # as above
from tests.faults import crash_points  # noqa: E402  # as above

log = logging.getLogger(__name__)


def serve() -> None:
    """Read orders from standard input, one JSON line each; answer each with the new process's id."""
    # A child that ended leaves nothing to be collected.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            run(order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def run(order: Mapping[str, Any]) -> NoReturn:
    """The life of one lane's process; never returns."""
    random.seed()
    crash_points.arm(order["crash_at"])
    code = 1
    try:
        if order["until_closed"]:
            work(order["issue_id"], order["lane"])
        else:
            lanes.run(issue_id=order["issue_id"], lane=order["lane"])
        code = 0
    except Exception:
        log.exception("the lane ended")
    finally:
        os._exit(code)


def work(issue_id: int, lane: int) -> None:
    """What the tasks of a worker do in their minutes, without the minutes between them."""
    preparing.prepare(issue_id=issue_id, now=timezone.now())
    while Issue.objects.under_way().filter(pk=issue_id).exists():
        lanes.run(issue_id=issue_id, lane=lane)
        sweeper.sweep(now=timezone.now())
        sweeper.wake(issue_id=issue_id, now=timezone.now())
        time.sleep(0.05)


if __name__ == "__main__":
    # A copy that was put off is tried again within the second.
    settings.SENDING = replace(settings.SENDING, retry_minutes=[0.005])
    # The rest of an issue is given back in several transactions, though it is small.
    closing.CANCELLED_AT_ONCE = 7
    serve()
