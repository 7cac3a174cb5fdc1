"""manage.py after_restore: after a restore from backup, make sure that nothing is sent twice."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import database_clock
from digests import restored
from subscribers import noes_replay

THEN = (
    "Run manage.py verify_consent before you resume anything, if you have not: it says whether the record of consent "
    "has lost events with the restore, such as readers who left since the backup. With a head that you kept elsewhere "
    "(printed, in a mail, in the log) use --expect-head COUNT:HASH, which does not rely on what is on this host."
)

NO_JOURNAL = (
    "The journal of what readers ended cannot be read in CONSENT_HEADS: {fault}. Put the directory back first; readers "
    "who left or were erased after the backup would be mailed otherwise."
)
DAMAGED = (
    "{lines} lines of that journal are not as they were written, or their key is missing, and were passed over. If the "
    "key was changed, add the former one to CONSENT_KEY_FALLBACKS, and run this again."
)


class Command(BaseCommand):
    """Exit code 0: everything that may have left is held. 1: Redis does not answer; run it again."""

    help = (
        "Run this after a backup was restored or a replica took over, before workers and beat start. It repeats what "
        "readers ended since the backup (erasures, unsubscribes, tracking), pauses issues "
        "that were being sent, marks their copies that may have left since the backup as uncertain, turns issues and "
        "digests that are due into drafts, and gives up letters older than an hour. May be repeated."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_clock.now()
        self._repeat(now)
        try:
            held = restored.hold(now=now)
        except restored.RedisAway:
            raise CommandError("Redis does not answer. Start it, with its data if there is any; then again.") from None
        for issue in held.paused:
            self.stdout.write(f"Issue {issue.pk} is paused. {issue.reason_sentence}")
        for issue in held.drafts:
            self.stdout.write(f"Issue {issue.pk} is a draft. {issue.reason_sentence}")
        self.stdout.write(f"{held.uncertain} copies are uncertain, {held.letters} letters were given up.")
        self.stdout.write(THEN)

    def _repeat(self, now: datetime) -> None:
        """What readers ended since the backup is ended again."""
        try:
            done = noes_replay.run(now=now)
        except OSError as error:
            raise CommandError(NO_JOURNAL.format(fault=error.strerror)) from None
        if done is None:
            raise CommandError("Another process repeats what readers ended since the backup. Try again in a minute.")
        self.stdout.write(
            f"{done.erased} readers are erased again, {done.ended} subscriptions are ended again, {done.tracking} "
            "readers are no longer counted as persons again: they said so after the backup was taken."
        )
        if done.damaged:
            self.stdout.write(DAMAGED.format(lines=done.damaged))
