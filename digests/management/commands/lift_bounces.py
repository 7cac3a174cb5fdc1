"""manage.py lift_bounces: undo suppressions after an incident with false bounces."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import dateparse, timezone

from digests import incidents
from digests.models import Issue


class Command(BaseCommand):
    """Exit code 0: done, or reported. 1: the options do not describe an incident."""

    help = (
        "Lift the suppressions caused by the bounces of one incident: of one issue, or of a time span. Without --apply "
        "it only reports how many. Complaints, suppressions by hand and readers who left stay as they are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--issue", type=int, metavar="ID", help="only bounces of this issue")
        parser.add_argument(
            "--provider", default="", help="only what this one reported: smtp (our own mail server), dsn, postmark ..."
        )
        parser.add_argument("--since", metavar="ISO-TIME", help="only bounces that were reported since then")
        parser.add_argument("--until", metavar="ISO-TIME", help="only bounces that were reported until then")
        parser.add_argument("--apply", action="store_true", help="lift them")

    def handle(self, *args: Any, **options: Any) -> None:
        incident = _incident(options)
        if not options["apply"]:
            count = incidents.suppressed(incident=incident)
            self.stdout.write(f"{count} readers are suppressed for these bounces. With --apply they are mailed again.")
            return
        count = incidents.lift(incident=incident, actor=None, now=timezone.now())
        self.stdout.write(f"{count} readers are mailed again from the next issue on.")


def _incident(options: dict[str, Any]) -> incidents.Incident:
    if options["issue"] is None and options["since"] is None:
        raise CommandError("Say which bounces: with --issue ID, or with --since ISO-TIME, or both.")
    issue = Issue.objects.filter(pk=options["issue"]).first()
    if options["issue"] is not None and issue is None:
        raise CommandError(f"There is no issue {options['issue']}.")
    since = _moment(options["since"], "--since") if options["since"] else None
    begins = since or (issue.created_at if issue is not None else timezone.now())
    until = _moment(options["until"], "--until") if options["until"] else timezone.now()
    return incidents.Incident(since=begins, until=until, issue=issue, provider=options["provider"])


def _moment(text: str, option: str) -> datetime:
    try:
        moment = dateparse.parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{option} is a time such as 2026-11-28T09:00:00+01:00.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
