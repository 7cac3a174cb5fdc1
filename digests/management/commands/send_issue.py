"""manage.py send_issue ID [--wait]: approve an issue and send it."""

import re
import shutil
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import database_clock
from digests import approval, freezing, stalls, stats
from digests.models import Issue
from digests.preflight import checking
from subscribers import unmailed

State = Issue.State

POLL_SECONDS = 0.5
# Without a terminal, at most one line in this time.
LINE_SECONDS = 5.0

UNDER_WAY = frozenset({State.SCHEDULED, State.PREPARING, State.SENDING})
SENT_WITH_EXCEPTIONS_CODE = 3
INTERRUPTED_CODE = 130


class Command(BaseCommand):
    """Exit code 0: approved, or with --wait sent. 3: sent with exceptions. 1: refused, paused or cancelled."""

    help = (
        "Approve an issue and send it at the time set on it, or at once. With --wait the command runs until the issue "
        "is finished. It exits 0 if the issue is sent, 3 if it is sent with exceptions, 1 if it is refused, paused or "
        "cancelled. If nothing moves, it says why. Ctrl-C ends the command, not the sending. On an issue that is being "
        "sent, --wait watches it again; on a paused one it says why."
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
        except (approval.NotAllowed, checking.Blocked, freezing.NotFrozen) as refusal:
            raise CommandError(str(refusal)) from refusal
        leaves_at = issue.scheduled_for
        later = leaves_at is not None and leaves_at > database_clock.now()
        when = f"leaves at {leaves_at:%Y-%m-%d %H:%M} UTC" if later else "is on its way"
        self.stdout.write(f"Issue {issue.pk} is approved and {when}.")
        if left_out := str(unmailed.among(issue.subscriptions(), now=database_clock.now())):
            self.stdout.write(left_out)

    def _watch(self, issue: Issue) -> None:
        """Return when the issue is finished or paused; `issue` then has its last state."""
        screen = _Screen(self)
        self.stdout.write(" ".join(stats.limits()))
        while True:
            issue.refresh_from_db()
            # The state is read each time. An expensive count is not, unless the state has changed.
            progress = stats.watched(issue)
            is_last = issue.state not in UNDER_WAY
            diagnoses = stalls.diagnose(issue=issue, progress=progress, now=database_clock.now())
            screen.show(_line(issue, progress), diagnoses=[] if is_last else diagnoses, last=is_last)
            if is_last:
                self._summarise(progress, diagnoses)
                return
            time.sleep(POLL_SECONDS)

    def _summarise(self, progress: stats.Progress, diagnoses: list[stalls.Diagnosis]) -> None:
        """Print the final counts, and the decisions that are left to a person."""
        if not progress.conserved:
            self.stderr.write(f"The audience was {progress.audience:,}: the copies do not add up to it.")
        for retry in progress.retries:
            self.stdout.write(f"  put off: {retry.copies:,}, next at {retry.next_at:%H:%M:%S} UTC: {retry.reason}")
        for diagnosis in diagnoses:
            self.stdout.write(_sentences(diagnosis))

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
    """One line that is rewritten on a terminal. Elsewhere, a new line after a change, at limited intervals.

    The diagnoses of a stall are printed once, and again after they change.
    """

    def __init__(self, command: BaseCommand) -> None:
        self.command = command
        self.is_terminal = command.stdout.isatty()
        self.shown = ""
        self.printed: set[str] = set()
        self.written_at = time.monotonic() - LINE_SECONDS

    def show(self, line: str, *, diagnoses: list[stalls.Diagnosis], last: bool) -> None:
        self._print_diagnoses(diagnoses)
        now = time.monotonic()
        if self.is_terminal:
            # A wrapped line cannot be rewritten.
            cut = line if last else line[: shutil.get_terminal_size().columns - 1]
            self.command.stdout.write(f"\r{cut.ljust(len(self.shown))}", ending="\n" if last else "")
            self.command.stdout.flush()
            self.shown = cut
        elif line != self.shown and (last or now - self.written_at >= LINE_SECONDS):
            self.command.stdout.write(line)
            self.shown, self.written_at = line, now

    def _print_diagnoses(self, diagnoses: list[stalls.Diagnosis]) -> None:
        """A sentence in which only numbers changed is not printed again."""
        known = {_shape(diagnosis.why): diagnosis for diagnosis in diagnoses}
        for shape, diagnosis in known.items():
            if shape not in self.printed:
                if self.is_terminal and self.shown:
                    self.command.stdout.write(f"\r{' ' * len(self.shown)}\r", ending="")
                self.command.stdout.write(_sentences(diagnosis))
        self.printed = set(known)


def _sentences(diagnosis: stalls.Diagnosis) -> str:
    return "\n    ".join([f"{diagnosis.why} {diagnosis.advice}", *diagnosis.commands])


def _shape(sentence: str) -> str:
    """The sentence without its numbers and times."""
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
