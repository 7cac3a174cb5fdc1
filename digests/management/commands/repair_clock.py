"""manage.py repair_clock: repair rows that were written while the clock was ahead."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import database_clock
from digests import clock_repair


class Command(BaseCommand):
    """Exit code 0: reported, and with --apply repaired. 1: this host's own clock is wrong."""

    help = (
        "For an installation whose clock was ahead. Reports what is in the future by mistake (the release "
        "horizon, stories, windows and periods of digests, dates of issues, letters, confirmations), and with --apply "
        "sets it to the present, by the database's clock. May be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="Do it; otherwise nothing is changed.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            findings = clock_repair.repair(apply=options["apply"])
        except database_clock.HostClockWrong as refusal:
            raise CommandError(f"{refusal} Nothing was changed.") from None
        self.stdout.write(f"The database's clock says {database_clock.now():%d %B %Y, %H:%M:%S} UTC.")
        for finding in findings:
            self.stdout.write(f"{finding.problem} {finding.remedy}")
        if not findings:
            self.stdout.write("Nothing is ahead of it.")
        elif not options["apply"]:
            self.stdout.write("Nothing was changed. Run it again with --apply to do all of this.")
