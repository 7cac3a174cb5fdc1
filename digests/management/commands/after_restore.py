"""manage.py after_restore: after a restore from backup, make sure that nothing is sent twice."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import database_clock
from digests import restored

THEN = (
    "Run manage.py verify_consent before you resume anything, if you have not: it says whether the record of consent "
    "has lost events with the restore, such as readers who left since the backup. With a head that you kept elsewhere "
    "(printed, in a mail, in the log) use --expect-head COUNT:HASH, which does not rely on what is on this host."
)


class Command(BaseCommand):
    """Exit code 0: everything that may have left is held. 1: Redis does not answer; run it again."""

    help = (
        "Run this after a backup was restored or a replica took over, before workers and beat start. It pauses issues "
        "that were being sent, marks their copies that may have left since the backup as uncertain, turns issues and "
        "digests that are due into drafts, and gives up letters older than an hour. May be repeated."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            held = restored.hold(now=database_clock.now())
        except restored.RedisAway:
            raise CommandError("Redis does not answer. Start it, with its data if there is any; then again.") from None
        for issue in held.paused:
            self.stdout.write(f"Issue {issue.pk} is paused. {issue.reason_sentence}")
        for issue in held.drafts:
            self.stdout.write(f"Issue {issue.pk} is a draft. {issue.reason_sentence}")
        self.stdout.write(f"{held.uncertain} copies are uncertain, {held.letters} letters were given up.")
        self.stdout.write(THEN)
