"""manage.py import_subscribers: a list of readers, with where they come from."""

import contextlib
import csv
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from subscribers import imports
from subscribers.models import Newsletter


class Command(BaseCommand):
    """Exit code 0 when every line was read (refused ones are reported), 1 when nothing could be imported."""

    help = (
        "Imports readers from a CSV file (UTF-8) with a column named email and optionally one named name. "
        "With --basis they are confirmed and the basis stands in the consent record; without it they are "
        "pending and a letter asks each of them. Nobody who left or must not be mailed is brought back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", type=Path, help="the CSV file")
        parser.add_argument("--newsletter", required=True, metavar="SLUG")
        parser.add_argument("--cadence", default="", help="instant, daily or weekly, as the newsletter offers it")
        parser.add_argument("--basis", default="", metavar="TEXT", help="where and how these people consented")
        parser.add_argument("--report", type=Path, metavar="FILE", help="write refused lines here, as CSV")
        parser.add_argument("--dry-run", action="store_true", help="look at every line and keep nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, then say what became of the lines."""
        newsletter = Newsletter.objects.filter(slug=options["newsletter"]).first()
        if newsletter is None:
            raise CommandError("There is no newsletter with that slug.")
        try:
            plan = imports.plan(newsletter=newsletter, cadence=options["cadence"], basis=options["basis"])
            if options["file"].stat().st_size > imports.MAX_BYTES:
                raise CommandError("The file is larger than 50 MB. Divide it into parts.")
            with options["file"].open(encoding="utf-8-sig", errors="replace", newline="") as file:
                report = imports.run(
                    file=file,
                    plan=plan,
                    now=timezone.now(),
                    dry_run=options["dry_run"],
                    on_progress=self._show_progress,
                )
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from error
        except imports.ImportRefused as error:
            raise CommandError(str(error)) from error
        self._say(report, plan, options["report"], dry_run=options["dry_run"])

    def _show_progress(self, report: imports.Report) -> None:
        """One line that rewrites itself on a terminal; a plain line per chunk otherwise."""
        end = "\r" if sys.stderr.isatty() else "\n"
        self.stderr.write(f"{report.lines} lines read, {report.imported} imported", ending=end, style_func=str)
        with contextlib.suppress(AttributeError):
            self.stderr.flush()

    def _say(self, report: imports.Report, plan: imports.Plan, path: Path | None, *, dry_run: bool) -> None:
        if path is None:
            for refused in report.refused:
                self.stdout.write(f"line {refused.line}: {refused.reason}")
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["line", "reason"])
                writer.writerows((refused.line, refused.reason) for refused in report.refused)
        became = "confirmed" if plan.is_confirmed else "pending; a letter asks each of them"
        would = "would be imported" if dry_run else "imported"
        self.stdout.write(
            f"{report.imported} {would} ({became}), {report.already_there} there already, "
            f"{len(report.refused)} refused."
        )
