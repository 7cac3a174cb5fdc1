"""manage.py import_subscribers: a list of readers, with where they come from."""

import contextlib
import csv
import math
import time
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from core import database_clock
from publication import formatting
from subscribers import import_refused, imports
from subscribers.import_report import Report
from subscribers.import_words import Status
from subscribers.models import Newsletter

# Seconds from one line to the next.
AT_A_TERMINAL: Final = 0.2
ELSEWHERE: Final = 5.0
EVERYBODY = {"subscribed": Status.YES} | {
    status.name.lower(): status for status in Status if status not in {Status.YES, Status.UNREACHED}
}


class ProgressLine:
    """How far the import is: one line that rewrites itself on a terminal, else a plain line now and then."""

    def __init__(self, stream: OutputWrapper) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown_at = -math.inf

    def show(self, report: Report) -> None:
        """After each portion."""
        now = time.monotonic()
        is_end = report.lines >= report.total
        if now - self._shown_at < (AT_A_TERMINAL if self._is_terminal else ELSEWHERE) and not is_end:
            return
        self._shown_at = now
        begin, end = ("\r\x1b[K", "\n" if is_end else "") if self._is_terminal else ("", "\n")
        self._stream.write(begin + self._line(report), ending=end, style_func=str)
        with contextlib.suppress(AttributeError):
            self._stream.flush()

    def _line(self, report: Report) -> str:
        pace = report.pace
        if report.began is None:
            return f"{report.said_no:,} of {report.total:,} records say no so far"
        again = f", {report.resumed:,} of them before it was interrupted" if report.resumed else ""
        line = f"{pace.lines:,} of {pace.total:,} records ({pace.percent} %), {report.imported:,} imported{again}"
        if pace.rate:
            line += f", {pace.rate:,} a second"
        if pace.seconds_left:
            line += f", {formatting.duration(seconds=pace.seconds_left)} left"
        return line


class Command(BaseCommand):
    """Exit code 0 when every line was read (refused ones are reported), 1 when nothing could be imported."""

    help = (
        "Imports readers from a CSV file, also as other systems export it. Columns that say who has left, bounced, "
        "complained, was blocked or never confirmed are understood, and those people are not imported. With --basis "
        "the others are confirmed and the basis is in the consent record; without it they are pending, and "
        "release_letters asks them. Nobody who left or must not be mailed is brought back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", type=Path, help="the CSV file")
        parser.add_argument("--newsletter", required=True, metavar="SLUG")
        parser.add_argument("--cadence", default="", help="one that the newsletter offers")
        parser.add_argument("--basis", default="", metavar="TEXT", help="where and how these people consented")
        parser.add_argument(
            "--address-column", default="", metavar="NAME", help="the column of addresses, or its number"
        )
        parser.add_argument("--name-column", action="append", default=[], metavar="NAME", help="may be given twice")
        parser.add_argument(
            "--ignore-column", action="append", default=[], metavar="NAME", help="a column that is no status after all"
        )
        parser.add_argument(
            "--everybody",
            choices=EVERYBODY,
            help="what holds for all people in the file",
        )
        parser.add_argument("--encoding", default="", help="such as windows-1251, where the file is not in UTF-8")
        parser.add_argument("--report", type=Path, metavar="FILE", help="write refused lines and reasons here, as CSV")
        parser.add_argument(
            "--refused", type=Path, metavar="FILE", help="write the refused records here, to send in again"
        )
        parser.add_argument("--dry-run", action="store_true", help="look at every line and keep nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, then say what became of the lines."""
        newsletter = Newsletter.objects.filter(slug=options["newsletter"]).first()
        if newsletter is None:
            raise CommandError("There is no newsletter with that slug.")
        try:
            plan = imports.plan(newsletter=newsletter, cadence=options["cadence"], basis=options["basis"])
            source = imports.open_source(
                path=options["file"],
                encoding=options["encoding"],
                address=options["address_column"],
                names=options["name_column"],
                ignored=options["ignore_column"],
                everybody=EVERYBODY[options["everybody"]] if options["everybody"] else None,
            )
            report = imports.run(
                source=source,
                plan=plan,
                actor=None,
                now=database_clock.now(),
                dry_run=options["dry_run"],
                on_progress=ProgressLine(self.stderr).show,
            )
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from error
        except imports.ImportRefused as error:
            raise CommandError(str(error)) from error
        self._write(report, source, options)
        self._say(report, plan, dry_run=options["dry_run"])

    def _write(self, report: Report, source: imports.Source, options: dict[str, Any]) -> None:
        """The refused records: to the terminal, or to the files that were asked for."""
        if options["report"]:
            with options["report"].open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["line", "reason"])
                writer.writerows((refused.line, refused.reason) for refused in report.refusals)
        else:
            for refused in report.refusals:
                self.stdout.write(f"line {refused.line}: {refused.reason}")
        if options["refused"]:
            with options["refused"].open("w", encoding="utf-8", newline="") as file:
                import_refused.write(refusals=iter(report.refusals), source=source, file=file)

    def _say(self, report: Report, plan: imports.Plan, *, dry_run: bool) -> None:
        became = "confirmed" if plan.is_confirmed else "pending"
        would = "would be imported" if dry_run else "imported"
        self.stdout.write(
            f"{report.imported} {would} ({became}), {report.already_there} there already, "
            f"{len(report.refusals)} refused."
        )
        if report.unconfirmed:
            self.stdout.write(
                f"{report.unconfirmed} of those there already have not confirmed yet; an import leaves that to them."
            )
        if report.said_no:
            recorded = "would be recorded" if dry_run else "is recorded"
            self.stdout.write(f"{report.said_no} of those refused said no or must not be mailed; that {recorded}.")
        if report.imported and not plan.is_confirmed and not dry_run:
            self.stdout.write(
                "No letter has left. To ask these readers for their permission: "
                f"manage.py release_letters {plan.newsletter.slug}"
            )
