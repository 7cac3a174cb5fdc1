"""Whether a large audience costs more per copy than a small one: the engine over SMTP at 10,000 to 1,000,000 readers.

Figures for each size: seconds from the approval to the first copy, copies a second, the peak memory
of a worker; then the largest against the smallest. And planning against a bare INSERT ... SELECT of
the same rows. SIZES sets the audiences.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from benchmarks import _audience, _figures, _measuring, _postfix
from digests.models import Issue
from digests.sending import audience
from newsroom import owner
from subscribers.models import Newsletter

SIZES = [int(size) for size in os.environ.get("SIZES", "10000,100000,1000000").split(",")]
LANES = os.environ.get("LANES", "4")
COPIES_IN_FLIGHT = os.environ.get("COPIES_IN_FLIGHT", "100")

BARE = """
INSERT INTO digests_delivery_open
    (uuid, issue_id, subscriber_id, state, reason, attempts, disturbances, render_failures, fence, remote_id)
SELECT gen_random_uuid(), %s, subscriber_id, 'pending', '', 0, 0, 0, 0, ''
FROM subscribers_subscription WHERE newsletter_id = %s
"""


say = functools.partial(_figures.say, "scale")


def main() -> None:
    """Measure each size in turn, each on an empty database."""
    tools = _postfix.find(Path(settings.VAR_DIR))
    if tools is None:
        sys.exit("smtp-sink cannot be had: install Debian's postfix package for this benchmark.")
    runs = {}
    for size in SIZES:
        newsletter = _audience.create(readers=size)
        planning(newsletter, size)
        with _postfix.sink(tools) as port:
            environment = {
                "EMAIL_URL": f"smtp://127.0.0.1:{port}",
                "COPIES_IN_FLIGHT": COPIES_IN_FLIGHT,
                "LANES": LANES,
            }
            with _measuring.worker(environment, LANES) as process:
                runs[size] = run = _measuring.send(_audience.approved_issue(newsletter), process)
        say("approval to first copy", run["first"], "s", readers=size)
        say("engine", size / run["seconds"], "copies/s", readers=size)
        say("peak memory of a worker", run["peak"], "MiB", readers=size)
    least, most = runs[min(SIZES)], runs[max(SIZES)]
    time_per_copy = (most["seconds"] / max(SIZES)) / (least["seconds"] / min(SIZES))
    say("time per copy, largest to smallest", time_per_copy, "1")
    say("memory, largest to smallest", most["peak"] / least["peak"], "1")


def planning(newsletter: Newsletter, size: int) -> None:
    """The engine's plan and the bare statement, each on a table without the other's rows."""
    issue = _audience.approved_issue(newsletter)
    seconds = {}
    for name in ("warm", "bare", "plan"):
        started = time.perf_counter()
        with transaction.atomic():
            write(name, issue, newsletter)
            seconds[name] = time.perf_counter() - started
            transaction.set_rollback(True)
        with owner.rights(), connection.cursor() as cursor:
            cursor.execute("VACUUM digests_delivery")
    say("planning", seconds["plan"], "s", readers=size, bare=round(seconds["bare"], 2))
    say("planning to a bare INSERT ... SELECT", seconds["plan"] / seconds["bare"], "1", readers=size)


def write(name: str, issue: Issue, newsletter: Newsletter) -> None:
    """The rows of one issue, in one of the two ways."""
    if name == "plan":
        audience.plan(issue=issue, now=timezone.now())
        return
    with connection.cursor() as cursor:
        cursor.execute(BARE, [issue.pk, newsletter.pk])


if __name__ == "__main__":
    main()
