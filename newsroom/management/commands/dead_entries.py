"""`manage.py dead_entries`: the queue entries that were no tasks and were set aside."""

from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser

from newsroom import dead_entries, logs

SHOWN_BYTES = 200


class Command(BaseCommand):
    help = "Show entries of the queues that were no tasks and were put aside, the newest first; or delete them."

    def add_arguments(self, parser: CommandParser) -> None:
        """One option."""
        parser.add_argument("--delete", action="store_true", help="delete them instead")

    def handle(self, *_args: Any, **options: Any) -> None:
        """One paragraph each; addresses are masked, as in every log."""
        try:
            if options["delete"]:
                self._delete()
            else:
                self._show()
        except redis.RedisError as error:
            raise CommandError("Redis does not answer: see REDIS_URL.") from error

    def _delete(self) -> None:
        count = dead_entries.forget()
        self.stdout.write("1 entry was deleted." if count == 1 else f"{count} entries were deleted.")

    def _show(self) -> None:
        entries = dead_entries.newest()
        for entry in entries:
            beginning = logs.mask(entry.content[:SHOWN_BYTES].decode("utf-8", "backslashreplace"))
            self.stdout.write(
                f"{entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.queue}: {entry.reason}\n"
                f"    {entry.size} bytes, SHA-256 {entry.digest}...  {beginning!r}"
            )
        if not entries:
            self.stdout.write("Nothing was put aside.")
