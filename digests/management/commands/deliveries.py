"""manage.py deliveries ID: list every copy of an issue as CSV, or settle the uncertain ones."""

import csv
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models.functions import Coalesce

from core import csv_export, database_clock
from digests import delivery_reasons, stats, uncertain
from digests.models import Delivery, Issue
from mailkit import addresses

COLUMNS = ("address", "state", "reason", "time")
AT_ONCE = 2_000


class Command(BaseCommand):
    """Exit code 0: the whole list was written, or the copies were settled. 1: refused, with a sentence."""

    help = (
        "Write one line per copy of an issue to standard output, as CSV (RFC 4180, UTF-8): address, state, reason, "
        "time (ISO 8601, UTC; when the copy was settled, or last tried). The address of an erased reader is empty. "
        "A cell that a spreadsheet would run as a formula begins with an apostrophe. With --accept or --resend "
        "nothing is listed: it settles uncertain copies, of which the mail server's reply was lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("issue_id", type=int, metavar="ID", help="The number at the end of the issue's admin page.")
        parser.add_argument("--state", choices=Delivery.State.values, help="List the copies in this state only.")
        choice = parser.add_mutually_exclusive_group()
        which: dict[str, Any] = {"nargs": "+", "metavar": "WHICH", "default": []}
        accept = "Call these uncertain copies accepted: the word all, or readers' addresses."
        choice.add_argument("--accept", help=accept, **which)
        resend = "Send these uncertain copies again; readers may get two. The word all, or readers' addresses."
        choice.add_argument("--resend", help=resend, **which)

    def handle(self, *args: Any, **options: Any) -> None:
        issue = Issue.objects.filter(pk=options["issue_id"]).first()
        if issue is None:
            raise CommandError(f"There is no issue {options['issue_id']}.")
        if options["accept"] or options["resend"]:
            self._settle(issue, accept=options["accept"], resend=options["resend"])
            return
        if stats.is_dropped(issue):
            raise CommandError(
                f"The copies of issue {issue.pk} were deleted {settings.RETENTION_DAYS} days after its end "
                "(RETENTION_DAYS); how many there were in each state is on the issue's page."
            )
        try:
            self._write(issue.pk, options["state"])
            self.stdout.flush()
        except BrokenPipeError:
            # The reading program (`head`) has ended. Without this Python prints another error at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _settle(self, issue: Issue, *, accept: list[str], resend: list[str]) -> None:
        chosen = _chosen(issue, accept or resend)
        verb, done = (uncertain.accept, "called accepted") if accept else (uncertain.resend, "to be sent again")
        try:
            count = verb(issue=issue, deliveries=chosen, actor=None, now=database_clock.now())
        except uncertain.NotAllowed as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{count} uncertain {'copy' if count == 1 else 'copies'} of issue {issue.pk} {done}.")

    def _write(self, issue_id: int, state: str | None) -> None:
        writer = csv.writer(self.stdout)
        writer.writerow(COLUMNS)
        copies = Delivery.objects.filter(issue_id=issue_id, **({"state": state} if state else {})).order_by("pk")
        rows = copies.values_list(
            "subscriber__address", "state", "reason", "reason_parameters", Coalesce("settled_at", "attempted_at")
        )
        # A server-side cursor, so that a million copies are never in memory.
        for address, state, code, parameters, moment in rows.iterator(chunk_size=AT_ONCE):
            when = moment.isoformat(timespec="seconds") if moment else ""
            reason = delivery_reasons.CATALOGUE.sentence(code, parameters)
            writer.writerow([csv_export.guarded(address or ""), state, csv_export.guarded(reason), when])


def _chosen(issue: Issue, words: list[str]) -> list[int] | None:
    """Ids of the named uncertain copies; None for all. Raises CommandError if one is not uncertain."""
    if words == ["all"]:
        return None
    chosen = []
    for number, word in enumerate(words, start=1):
        try:
            key = addresses.normalise(word).key
        except addresses.InvalidAddress as error:
            raise CommandError(
                f"The {number}. of --accept or --resend is not “all” alone nor an address: {error}"
            ) from error
        copy = issue.deliveries.filter(state=Delivery.State.UNCERTAIN, subscriber__address_key=key).first()
        if copy is None:
            raise CommandError(f"The {number}. address has no uncertain copy of issue {issue.pk}; nothing was changed.")
        chosen.append(copy.pk)
    return chosen
