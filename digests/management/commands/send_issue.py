"""manage.py send_issue ID [--wait]: approve an issue and let it leave."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from digests import approval, freezing, stats
from digests.models import Issue

State = Issue.State

POLL_SECONDS = 0.5
# Without a terminal, a line at most this often; nobody reads faster in a log.
LINE_SECONDS = 5.0
# When nothing has moved for this long, the likeliest cause is said once.
IDLE_SECONDS = 90.0

UNDER_WAY = frozenset({State.SCHEDULED, State.PREPARING, State.SENDING})
SENT_WITH_EXCEPTIONS_CODE = 3
INTERRUPTED_CODE = 130


class Command(BaseCommand):
    """Exit code 0: approved, or with --wait sent; 3: sent with exceptions; 1: refused, paused or cancelled."""

    help = (
        "Approve an issue and let it leave at the hour set on it, or at once. With --wait the command stays until the "
        "end and exits 0 when the issue is sent, 3 when it is sent with exceptions, 1 when it is refused, paused or "
        "cancelled. Ctrl-C ends the watching, not the sending; --wait on an issue that is under way watches it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("issue_id", type=int, metavar="ID", help="The number at the end of the issue's admin page.")
        parser.add_argument("--wait", action="store_true", help="Show progress until the issue is finished.")

    def handle(self, *args: Any, **options: Any) -> None:
        issue = Issue.objects.filter(pk=options["issue_id"]).first()
        if issue is None:
            raise CommandError(f"There is no issue {options['issue_id']}.")
        if not (options["wait"] and issue.state in UNDER_WAY):
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
            approval.approve(issue=issue, actor=None, now=timezone.now())
        except (approval.NotAllowed, freezing.NotFrozen) as refusal:
            raise CommandError(str(refusal)) from refusal
        leaves_at = issue.scheduled_for
        later = leaves_at is not None and leaves_at > timezone.now()
        when = f"leaves at {leaves_at:%Y-%m-%d %H:%M} UTC" if later else "is on its way"
        self.stdout.write(f"Issue {issue.pk} is approved and {when}.")

    def _watch(self, issue: Issue) -> None:
        """Return when the issue is no longer under way; `issue` then shows how it ended."""
        screen = _Screen(self)
        while True:
            issue.refresh_from_db()
            now_showing = stats.progress(issue)
            screen.show(_line(issue, now_showing), last=issue.state not in UNDER_WAY)
            if issue.state not in UNDER_WAY:
                return
            time.sleep(POLL_SECONDS)

    def _finish(self, issue: Issue) -> None:
        if issue.state == State.SENT:
            return
        sentence = f"Issue {issue.pk} is {issue.get_state_display().lower()}"
        sentence += f": {issue.state_reason.rstrip('.')}." if issue.state_reason else "."
        if issue.state == State.SENT_WITH_EXCEPTIONS:
            sentence += f" Every copy is listed by: manage.py deliveries {issue.pk}"
            raise CommandError(sentence, returncode=SENT_WITH_EXCEPTIONS_CODE)
        raise CommandError(sentence)


class _Screen:
    """One line that is rewritten on a terminal; elsewhere a new line when something changed, not too often."""

    def __init__(self, command: BaseCommand) -> None:
        self.command = command
        self.is_terminal = command.stdout.isatty()
        self.shown = ""
        self.changed_at = self.written_at = time.monotonic() - LINE_SECONDS
        self.has_hinted = False

    def show(self, line: str, *, last: bool) -> None:
        now = time.monotonic()
        if line != self.shown:
            self.changed_at = now
        if self.is_terminal:
            self.command.stdout.write(f"\r{line.ljust(len(self.shown))}", ending="\n" if last else "")
            self.command.stdout.flush()
            self.shown = line
        elif line != self.shown and (last or now - self.written_at >= LINE_SECONDS):
            self.command.stdout.write(line)
            self.shown, self.written_at = line, now
        if now - self.changed_at > IDLE_SECONDS and not self.has_hinted:
            self.has_hinted = True
            self.command.stderr.write("Nothing has moved for a while. Are a Celery worker and beat running?")


def _line(issue: Issue, progress: stats.Progress) -> str:
    state = issue.get_state_display().lower()
    if not progress.audience:
        return f"issue {issue.pk}: {state}"
    share = 100 * progress.done // progress.audience
    line = f"issue {issue.pk}: {state}, {progress.done:,} of {progress.audience:,} copies ({share} %)"
    if issue.state == State.SENDING and progress.rate:
        line += f", {progress.rate:,.0f} a second, {progress.seconds_left} s left"
    if progress.uncertain:
        line += f", {progress.uncertain:,} uncertain"
    return line
