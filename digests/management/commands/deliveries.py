"""manage.py deliveries ID: every copy of an issue and what became of it, as CSV."""

import csv
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models.functions import Coalesce

from digests.models import Delivery, Issue

COLUMNS = ("address", "state", "reason", "time")
AT_ONCE = 2_000
# A spreadsheet runs a cell that begins with one of these; the full-width forms are folded to them.
FORMULA_STARTS = tuple("=+-@\t\r\x00＝＋－＠")  # noqa: RUF001  # the full-width forms are meant


class Command(BaseCommand):
    """Exit code 0: the whole list was written; 1: there is no such issue."""

    help = (
        "Write one line per copy of an issue to standard output, as CSV (RFC 4180, UTF-8): address, state, reason, "
        "time (ISO 8601, UTC; when the copy was settled, or last tried). The address of an erased reader is empty. "
        "A cell that a spreadsheet would run as a formula begins with an apostrophe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("issue_id", type=int, metavar="ID", help="The number at the end of the issue's admin page.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not Issue.objects.filter(pk=options["issue_id"]).exists():
            raise CommandError(f"There is no issue {options['issue_id']}.")
        try:
            self._write(options["issue_id"])
            self.stdout.flush()
        except BrokenPipeError:
            # The reader (`head`) has seen enough; without this Python complains once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _write(self, issue_id: int) -> None:
        writer = csv.writer(self.stdout)
        writer.writerow(COLUMNS)
        copies = Delivery.objects.filter(issue_id=issue_id).order_by("pk")
        rows = copies.values_list("subscriber__address", "state", "reason", Coalesce("settled_at", "attempted_at"))
        # A server-side cursor: a million copies never stand in memory.
        for address, state, reason, moment in rows.iterator(chunk_size=AT_ONCE):
            when = moment.isoformat(timespec="seconds") if moment else ""
            writer.writerow([_cell(address or ""), state, _cell(reason), when])


def _cell(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value
