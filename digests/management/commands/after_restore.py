"""manage.py after_restore: after a backup was restored, let nothing leave a second time."""

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
    """Exit code 0: everything that may have left is held; 1: Redis does not answer, so run it again."""

    help = (
        "To be run after a backup was restored or a replica took over, before workers and clock start. Pauses issues "
        "that were under way, marks copies of them that may have left since the backup as uncertain, makes drafts of "
        "issues and digests that are due, and gives up letters that are older than an hour. May be repeated."
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
