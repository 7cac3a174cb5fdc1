"""manage.py send_issue: what it says, how it ends, and with which exit code."""

import dataclasses
import io
import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.reasons import Reason
from digests import approval, issue_reasons, stats
from digests.models import Delivery, Issue
from digests.tests import copies
from publication.models import Publication
from subscribers.models import Newsletter
from tests.table import rows

State = Issue.State
Happens = Callable[[], object]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def while_waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let one thing happen per poll of the watching command. It must not poll once more."""

    def plan(*events: Happens) -> None:
        waiting = list(events)

        def pass_time(_seconds: float) -> None:
            waiting.pop(0)()

        monkeypatch.setattr(time, "sleep", pass_time)

    return plan


def turn(issue: Issue, state: State, reason: str = "", **fields: object) -> Happens:
    return lambda: Issue.objects.filter(pk=issue.pk).update(
        state=state, **issue_reasons.columns(issue_reasons.by_hand(reason)), **fields
    )


def send(issue: Issue, *options: str, out: io.StringIO | None = None) -> str:
    stream = out or io.StringIO()
    call_command("send_issue", str(issue.pk), *options, stdout=stream)
    return stream.getvalue()


def test_it_approves_and_says_so(digest: Issue) -> None:
    output = send(digest)

    digest.refresh_from_db()
    assert digest.state == State.SCHEDULED
    assert output == f"Issue {digest.pk} is approved and is on its way.\n"


def test_an_hour_that_was_set_is_kept(digest: Issue) -> None:
    later = timezone.now() + timedelta(days=1)
    Issue.objects.update(scheduled_for=later)

    output = send(digest)

    digest.refresh_from_db()
    assert digest.scheduled_for == later
    assert f"leaves at {later:%Y-%m-%d %H:%M} UTC" in output


def test_an_issue_that_does_not_exist(db: None) -> None:
    with pytest.raises(CommandError, match=r"There is no issue 17\.") as error:
        call_command("send_issue", "17")
    assert error.value.returncode == 1


@pytest.mark.parametrize("options", [(), ("--wait",)])
def test_what_cannot_be_approved_is_refused_with_a_sentence(digest: Issue, options: tuple[str, ...]) -> None:
    Issue.objects.update(state=State.CANCELLED)

    with pytest.raises(CommandError, match="Only a draft can be approved; this issue is cancelled") as error:
        send(digest, *options)
    assert error.value.returncode == 1


def test_what_cannot_be_frozen_is_refused_with_a_sentence(digest: Issue) -> None:
    Publication.objects.update(postal_address="")

    with pytest.raises(CommandError, match="postal address"):
        send(digest)


def test_waiting_ends_well_when_the_issue_is_sent(digest: Issue, while_waiting: Callable[..., None]) -> None:
    while_waiting(
        turn(digest, State.SENDING, audience_count=4, number=1, started_at=timezone.now()),
        turn(digest, State.SENT),
    )

    output = send(digest, "--wait")

    assert output.splitlines()[-1].startswith(f"issue {digest.pk}: sent, 0 of 4 copies")


@rows(
    ("state", "reason", "code", "sentence"),
    [
        (State.SENT_WITH_EXCEPTIONS, "3 uncertain", 3, r"sent with exceptions: 3 uncertain\. .*deliveries"),
        (State.PAUSED, "The server refuses us (535).", 1, r"paused: The server refuses us \(535\)\.$"),
        (State.CANCELLED, "", 1, r"cancelled\.$"),
        (State.DRAFT, "“Third” was withdrawn after the approval.", 1, r"draft: “Third” was withdrawn"),
    ],
)
def test_waiting_ends_otherwise_with_a_code_and_a_sentence(
    digest: Issue, while_waiting: Callable[..., None], state: State, reason: str, code: int, sentence: str
) -> None:
    while_waiting(turn(digest, state, reason, audience_count=3, number=1))

    with pytest.raises(CommandError, match=sentence) as error:
        send(digest, "--wait")
    assert error.value.returncode == code


def test_an_issue_that_is_under_way_is_watched_again(
    newsletter: Newsletter, while_waiting: Callable[..., None]
) -> None:
    issue = copies.issue(newsletter, audience=1)
    copies.copy(issue, None, Delivery.State.UNCERTAIN)
    while_waiting(turn(issue, State.SENT_WITH_EXCEPTIONS, "1 uncertain"))

    with pytest.raises(CommandError, match="1 uncertain"):
        send(issue, "--wait")


def test_a_paused_issue_says_why_and_what_to_do(newsletter: Newsletter) -> None:
    issue = copies.issue(newsletter, state=State.PAUSED)
    copies.copy(issue, None, Delivery.State.PENDING)
    why = Reason("refused_in_a_row", {"count": 20, "last": "5.7.1 no"})
    Issue.objects.update(**issue_reasons.columns(why))
    out = io.StringIO()

    with pytest.raises(CommandError) as ended:
        send(issue, "--wait", out=out)

    assert ended.value.returncode == 1
    assert "The last one: 5.7.1 no. If that names a fault, fix it" in out.getvalue()


def test_without_wait_an_issue_that_is_under_way_is_refused(newsletter: Newsletter) -> None:
    with pytest.raises(CommandError, match="Only a draft"):
        send(copies.issue(newsletter))


def test_ctrl_c_ends_the_watching_and_not_the_sending(digest: Issue, while_waiting: Callable[..., None]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    while_waiting(turn(digest, State.SENDING, audience_count=4, number=1), interrupt)
    out = io.StringIO()

    with pytest.raises(SystemExit) as ended:
        send(digest, "--wait", out=out)

    digest.refresh_from_db()
    assert ended.value.code == 130
    assert digest.state == State.SENDING
    assert f"goes on without you. To watch it again: manage.py send_issue {digest.pk} --wait" in out.getvalue()


def test_progress_on_a_terminal_is_one_line(
    newsletter: Newsletter, while_waiting: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    issue = copies.issue(newsletter, audience=1_200)
    Issue.objects.update(started_at=timezone.now() - timedelta(seconds=10))
    Delivery.objects.bulk_create(
        [Delivery(issue=issue, state="accepted", settled_at=timezone.now()) for _ in range(300)]
        + [Delivery(issue=issue) for _ in range(900)]
    )
    while_waiting(lambda: None, turn(issue, State.SENT))

    output = send(issue, "--wait", out=Terminal())

    _pace, line, end = output.split("\n")
    assert end == ""
    assert re.search(r"\rissue \d+: sending, 300 of 1,200 copies \(25 %\), \d+ a second, \d+ s left", line)
    # Rewritten lines fit the window; the last line is complete.
    *rewritten, last = line.split("\r")
    assert max(map(len, rewritten)) == 79
    assert last.rstrip().endswith(": 900 pending + 300 accepted = 1,200")


def test_progress_in_a_log_is_a_line_at_most_every_five_seconds(
    newsletter: Newsletter, while_waiting: Callable[..., None]
) -> None:
    issue = copies.issue(newsletter, audience=50)
    more = [lambda: copies.copy(issue, None, Delivery.State.ACCEPTED)] * 50
    while_waiting(*more, turn(issue, State.SENT))

    output = send(issue, "--wait")

    assert 2 <= len(output.splitlines()) <= 4
    assert "\r" not in output
    assert "sent, 50 of 50 copies (100 %)" in output.splitlines()[-1]


def test_why_nothing_moves_is_said_once_and_again_when_it_changes(
    newsletter: Newsletter, while_waiting: Callable[..., None]
) -> None:
    issue = copies.issue(newsletter, audience=1)
    Issue.objects.update(
        started_at=timezone.now() - timedelta(minutes=10), updated_at=timezone.now() - timedelta(minutes=10)
    )
    copies.copy(issue, None, Delivery.State.PENDING)
    later = {"due_at": timezone.now() + timedelta(hours=1), "reason": "mailbox_full"}
    while_waiting(
        *[lambda: None] * 5,
        lambda: Delivery.objects.update(state=Delivery.State.DEFERRED, **later),
        *[lambda: None] * 5,
        turn(issue, State.SENT),
    )

    output = send(issue, "--wait")

    assert output.count("Are a Celery") == 0
    assert output.count("Nothing has moved for 10 min, for no known reason.") == 1
    assert output.count("Most frequent: The mailbox is full.") == 1
    assert f"    manage.py deliveries {issue.pk} --state deferred" in output.splitlines()


def test_the_end_accounts_for_everybody_and_says_what_is_left_to_do(
    newsletter: Newsletter, while_waiting: Callable[..., None]
) -> None:
    issue = copies.issue(newsletter, audience=1_003)
    Delivery.objects.bulk_create([Delivery(issue=issue, state="accepted") for _ in range(1_000)])
    for state in (Delivery.State.UNCERTAIN, Delivery.State.UNCERTAIN, Delivery.State.REJECTED):
        copies.copy(issue, None, state)
    while_waiting(turn(issue, State.SENT_WITH_EXCEPTIONS, "2 uncertain"))
    out = io.StringIO()

    with pytest.raises(CommandError):
        send(issue, "--wait", out=out)

    output = out.getvalue()
    assert output.startswith("At most 50 copies are in flight in each of 2 lanes.")
    assert "(100 %): 1,000 accepted + 1 rejected + 2 uncertain = 1,003\n" in output
    assert f"    manage.py deliveries {issue.pk} --resend all\n" in output


def test_who_is_missing_is_said(newsletter: Newsletter, while_waiting: Callable[..., None]) -> None:
    issue = copies.issue(newsletter, audience=2)
    copies.copy(issue, None, Delivery.State.ACCEPTED)
    while_waiting(turn(issue, State.SENT))
    errors = io.StringIO()

    call_command("send_issue", str(issue.pk), "--wait", stdout=io.StringIO(), stderr=errors)

    assert errors.getvalue() == "The audience was 2: the copies do not add up to it.\n"


def test_an_expensive_count_is_made_less_often_and_the_end_is_seen_at_once(
    newsletter: Newsletter, while_waiting: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = copies.issue(newsletter)
    counting, counted = stats.progress, []

    def dear(issue: Issue) -> stats.Progress:
        counted.append(issue.state)
        return dataclasses.replace(counting(issue), cost=60.0)

    monkeypatch.setattr(stats, "progress", dear)
    while_waiting(*[lambda: None] * 5, turn(issue, State.SENT))

    send(issue, "--wait")

    assert counted == [State.SENDING, State.SENT]


def test_it_is_the_same_approval_as_everywhere(digest: Issue) -> None:
    send(digest)

    with pytest.raises(approval.NotAllowed):
        approval.approve(issue=digest, actor=None, now=timezone.now())
