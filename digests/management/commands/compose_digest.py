"""manage.py compose_digest: compose a digest from the command line."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import database_clock
from digests import approval, composing, freezing
from digests.models import Issue
from digests.preflight import checking
from subscribers import cadences
from subscribers.models import Newsletter

YEARS = range(2000, 2101)  # a year outside is a typing error
DESCRIPTION = """\
Compose a digest: an issue with the stories published since the previous digest.

Without --at, it has everything up to now. The scheduled digest of today is neither replaced nor prevented:
it starts where this one ends. The command may run several times a day; a story is still in exactly one
digest of its newsletter and cadence.

With --at, it composes the digest of the period that contains that time, in place of the scheduled one. The
window ends at that time, or now if that time is in the future. There is one digest per period: if it has
already been composed, nothing changes.

The id of the issue goes to standard output, and a sentence about it to standard error. If no story was
published, the issue is recorded as cancelled and nothing is sent. Exit code 0: the issue exists.
Exit code 1: it could not be composed or approved, and one sentence says why.
"""


class Command(BaseCommand):
    """`manage.py compose_digest SLUG --cadence CADENCE [--at ISO-TIME] [--approve]`."""

    help = DESCRIPTION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Keep the paragraphs of the description."""
        return super().create_parser(
            prog_name, subcommand, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which newsletter and cadence, as of when, and whether it leaves."""
        parser.add_argument("slug", help="The newsletter, as in its address /newsletters/SLUG/.")
        parser.add_argument("--cadence", required=True, help=cadences.names_of_digests())
        parser.add_argument(
            "--at",
            metavar="ISO-TIME",
            help="Such as 2026-03-29T07:00; without an offset, the newsletter's own time zone.",
        )
        parser.add_argument("--approve", action="store_true", help="Freeze it and let it leave at once.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compose, approve if asked, and report the result."""
        now = database_clock.now()
        newsletter = _newsletter(options["slug"])
        try:
            issue = _compose(newsletter, options["cadence"], _instant(options["at"], newsletter), now)
            if options["approve"] and issue.state == Issue.State.DRAFT:
                issue = approval.approve(issue=issue, actor=None, now=now)
        except (composing.ComposingError, approval.NotAllowed, checking.Blocked, freezing.NotFrozen) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stderr.write(_sentence(issue, is_new=issue.created_at >= now))
        self.stdout.write(str(issue.pk))


def _newsletter(slug: str) -> Newsletter:
    newsletter = Newsletter.objects.filter(slug=slug).first()
    if newsletter is None:
        known = ", ".join(Newsletter.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no newsletter “{slug}”. Known are: {known}.")
    return newsletter


def _instant(text: str | None, newsletter: Newsletter) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError("Write the time of --at like 2026-03-29T07:00 or 2026-03-29T07:00+02:00.") from None
    if at.year not in YEARS:
        raise CommandError(f"Give --at a year from {YEARS.start} to {YEARS.stop - 1}.")
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(newsletter.time_zone))


def _compose(newsletter: Newsletter, cadence: str, at: datetime | None, now: datetime) -> Issue:
    if at is None:
        return composing.compose_now(newsletter=newsletter, cadence=cadence, now=now)
    return composing.compose_as_of(newsletter=newsletter, cadence=cadence, at=at, now=now)


def _sentence(issue: Issue, *, is_new: bool) -> str:
    stories = issue.items.filter(included=True).count()
    what = f"{issue.newsletter}, {issue.cadence}, period {issue.period_key}"
    if not is_new:
        return f"Issue {issue.pk} ({what}) had been composed before; it is {issue.get_state_display().lower()}."
    if issue.state == Issue.State.CANCELLED:
        return f"Issue {issue.pk} ({what}) will not be sent. {issue.reason_sentence}"
    plural = "story" if stories == 1 else "stories"
    return f"Issue {issue.pk} ({what}) has {stories} {plural} and is {issue.get_state_display().lower()}."
