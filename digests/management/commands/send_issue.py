"""manage.py send_issue ID [--wait]: approve an issue and let it leave."""

import re
import shutil
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import database_clock
from digests import approval, freezing, stalls, stats
from digests.models import Issue
from subscribers import unmailed

State = Issue.State

POLL_SECONDS = 0.5
# Without a terminal, a line at most this often; nobody reads faster in a log.
LINE_SECONDS = 5.0

UNDER_WAY = frozenset({State.SCHEDULED, State.PREPARING, State.SENDING})
SENT_WITH_EXCEPTIONS_CODE = 3
INTERRUPTED_CODE = 130


class Command(BaseCommand):
    """Exit code 0: approved, or with --wait sent; 3: sent with exceptions; 1: refused, paused or cancelled."""

    help = (
        "Approve an issue and let it leave at the hour set on it, or at once. With --wait the command stays until the "
        "end and exits 0 when the issue is sent, 3 when it is sent with exceptions, 1 when it is refused, paused or "
        "cancelled; meanwhile it says why nothing moves, if nothing does. Ctrl-C ends the watching, not the sending; "
        "--wait on an issue that is under way watches it again, and on one that is paused says why."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("issue_id", type=int, metavar="ID", help="The number at the end of the issue's admin page.")
        parser.add_argument("--wait", action="store_true", help="Show progress until the issue is finished.")

    def handle(self, *args: Any, **options: Any) -> None:
        issue = Issue.objects.filter(pk=options["issue_id"]).first()
        if issue is None:
            raise CommandError(f"There is no issue {options['issue_id']}.")
        if not (options["wait"] and issue.state in {*UNDER_WAY, State.PAUSED}):
            self._approve(issue)
        if options["wait"]:
            try:
                self._watch(issue)
            except KeyboardInterrupt:
                self.stdout.write("")
                again = f"manage.py send_issue {issue.pk} --wait"
                self.stdout.write(f"Issue {issue.pk} goes on without you. To watch it again: {again}")
                raise SystemExit(INTERRUPTED_CODE) from None
            self._finish(issue)

    def _approve(self, issue: Issue) -> None:
        try:
            approval.approve(issue=issue, actor=None, now=database_clock.now())
        except (approval.NotAllowed, freezing.NotFrozen) as refusal:
            raise CommandError(str(refusal)) from refusal
        leaves_at = issue.scheduled_for
        later = leaves_at is not None and leaves_at > database_clock.now()
        when = f"leaves at {leaves_at:%Y-%m-%d %H:%M} UTC" if later else "is on its way"
        self.stdout.write(f"Issue {issue.pk} is approved and {when}.")
        if left_out := str(unmailed.among(issue.subscriptions(), now=database_clock.now())):
            self.stdout.write(left_out)

    def _watch(self, issue: Issue) -> None:
        """Return when the issue is no longer under way; `issue` then shows how it ended."""
        screen = _Screen(self)
        self.stdout.write(" ".join(stats.pace()))
        while True:
            issue.refresh_from_db()
            # Its state is read each time; a count that is dear is not, unless the state has changed.
            found = stats.watched(issue)
            is_last = issue.state not in UNDER_WAY
            reasons = stalls.reasons(issue=issue, progress=found, now=database_clock.now())
            screen.show(_line(issue, found), reasons=[] if is_last else reasons, last=is_last)
            if is_last:
                self._account(found, reasons)
                return
            time.sleep(POLL_SECONDS)

    def _account(self, found: stats.Progress, reasons: list[stalls.Reason]) -> None:
        """What became of everybody, and what is left to a person."""
        if not found.conserved:
            self.stderr.write(f"The audience was {found.audience:,}: the copies do not add up to it.")
        for retry in found.retries:
            self.stdout.write(f"  put off: {retry.copies:,}, next at {retry.next_at:%H:%M:%S} UTC: {retry.reason}")
        for reason in reasons:
            self.stdout.write(_sentences(reason))

    def _finish(self, issue: Issue) -> None:
        if issue.state == State.SENT:
            return
        sentence = f"Issue {issue.pk} is {issue.get_state_display().lower()}"
        sentence += f": {issue.reason_sentence.rstrip('.')}." if issue.reason_sentence else "."
        if issue.state == State.SENT_WITH_EXCEPTIONS:
            sentence += f" Every copy is listed by: manage.py deliveries {issue.pk}"
            raise CommandError(sentence, returncode=SENT_WITH_EXCEPTIONS_CODE)
        raise CommandError(sentence)


class _Screen:
    """One line that is rewritten on a terminal; elsewhere a new line when something changed, not too often.

    Why nothing moves is said once each time that it changes.
    """

    def __init__(self, command: BaseCommand) -> None:
        self.command = command
        self.is_terminal = command.stdout.isatty()
        self.shown = ""
        self.told: set[str] = set()
        self.written_at = time.monotonic() - LINE_SECONDS

    def show(self, line: str, *, reasons: list[stalls.Reason], last: bool) -> None:
        self._tell(reasons)
        now = time.monotonic()
        if self.is_terminal:
            # A line that is wrapped cannot be rewritten.
            cut = line if last else line[: shutil.get_terminal_size().columns - 1]
            self.command.stdout.write(f"\r{cut.ljust(len(self.shown))}", ending="\n" if last else "")
            self.command.stdout.flush()
            self.shown = cut
        elif line != self.shown and (last or now - self.written_at >= LINE_SECONDS):
            self.command.stdout.write(line)
            self.shown, self.written_at = line, now

    def _tell(self, reasons: list[stalls.Reason]) -> None:
        """A sentence whose numbers alone have changed is not said again."""
        known = {_shape(reason.why): reason for reason in reasons}
        for shape, reason in known.items():
            if shape not in self.told:
                if self.is_terminal and self.shown:
                    self.command.stdout.write(f"\r{' ' * len(self.shown)}\r", ending="")
                self.command.stdout.write(_sentences(reason))
        self.told = set(known)


def _sentences(reason: stalls.Reason) -> str:
    return "\n    ".join([f"{reason.why} {reason.advice}", *reason.commands])


def _shape(sentence: str) -> str:
    """The sentence without its numbers and hours."""
    return re.sub(r"[\d.,:]+ (s|min|h|days)\b|[\d.,:]+", "", sentence.replace("copies", "copy"))


def _line(issue: Issue, progress: stats.Progress) -> str:
    state = issue.get_state_display().lower()
    if not progress.audience:
        return f"issue {issue.pk}: {state}"
    share = 100 * progress.done // progress.audience
    line = f"issue {issue.pk}: {state}, {progress.done:,} of {progress.audience:,} copies ({share} %)"
    if progress.rate:
        line += f", {progress.rate:,.3g} a second" if progress.rate < 100 else f", {progress.rate:,.0f} a second"
    if progress.open and progress.time_left:
        line += f", {progress.time_left} left"
    counts = " + ".join(f"{copies:,} {name}" for _, name, copies in progress.counted)
    return f"{line}: {counts} = {progress.total:,}" if counts else line
