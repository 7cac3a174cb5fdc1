"""An operator who sees nothing move gets a sentence that says why, and what to do; who sees it move gets none."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.reasons import Reason
from digests import heartbeat, issue_reasons, stalls, stats
from digests.models import Delivery, Issue
from digests.sending import preparing
from digests.sending.pacing import warmup
from digests.sending.tests.conftest import frozen_issue
from postal import config, limiter
from postal.tests.redis_server import Server
from subscribers.models import Newsletter

pytestmark = pytest.mark.django_db

Pace = Callable[..., None]
State = Delivery.State
FULL = {"reason": "mailbox_full", "reason_parameters": {"said": "452 4.2.2 Mailbox full."}}
LONG_AGO = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server, settings: Any) -> Server:
    settings.EMAIL_TRANSPORT = "smtp"
    settings.RELAYS = [config.MailServer("a.example", 25), config.MailServer("b.example", 25)]
    return own_redis


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    """An issue that has been leaving for a while."""
    newsletter.time_zone, newsletter.sender_address = "Europe/Berlin", "news@young.example"
    newsletter.save()
    issue = frozen_issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(
        state=Issue.State.SENDING, audience_count=4, planned_at=timezone.now(), started_at=timezone.now() - LONG_AGO,
        updated_at=timezone.now() - LONG_AGO,
    )  # fmt: skip
    issue.refresh_from_db()
    return issue


def fill(issue: Issue, state: State, count: int = 1, **fields: Any) -> None:
    for _ in range(count):
        Delivery.objects.create(issue=issue, state=state, **fields)


def diagnosis(issue: Issue, now: datetime | None = None) -> str:
    """Every sentence, why and advice."""
    diagnoses = stalls.diagnose(issue=issue, progress=stats.progress(issue), now=now or timezone.now())
    return " | ".join(f"{each.why} {each.advice} {' '.join(each.commands)}" for each in diagnoses)


def test_an_issue_that_moves_has_no_diagnosis(issue: Issue) -> None:
    fill(issue, State.PENDING, 3)
    fill(issue, State.ACCEPTED, settled_at=timezone.now())
    assert diagnosis(issue) == ""


def test_nobody_works(issue: Issue) -> None:
    fill(issue, State.PENDING)
    heartbeat.beat(work="clock", now=timezone.now() - LONG_AGO)
    assert diagnosis(issue).startswith("No worker has done scheduled work for 10 min. Check that Celery workers")
    heartbeat.beat(work="clock", now=timezone.now())
    assert "No worker" not in diagnosis(issue)


def test_nothing_moves_for_no_known_reason(issue: Issue) -> None:
    fill(issue, State.PENDING)
    fill(issue, State.ACCEPTED, settled_at=timezone.now() - timedelta(minutes=4))
    assert diagnosis(issue).startswith("Nothing has moved for 4 min, for no known reason. Check that Celery")


def test_outside_the_hours(issue: Issue, pace: Pace) -> None:
    pace(hours=(time(7), time(21)))
    fill(issue, State.PENDING)
    night = datetime(2026, 11, 22, 22, tzinfo=UTC)
    expected = "Copies leave from 07:00 to 21:00 only; it continues on Monday 23 November at 07:00 (Europe/Berlin)."
    assert expected in diagnosis(issue, night)
    Issue.objects.update(state=Issue.State.SCHEDULED, scheduled_for=night - timedelta(hours=1))
    issue.refresh_from_db()
    assert expected in diagnosis(issue, night)


def test_a_new_senders_day_is_used_up(issue: Issue, pace: Pace) -> None:
    pace(warm_up={"young.example": config.WarmUp(date(2026, 11, 22), 200, 1.5)})
    fill(issue, State.PENDING)
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert "used up" not in diagnosis(issue, now)
    assert warmup.take(shared=limiter.shared(), domain="young.example", wanted=200, now=now) == 200
    text = diagnosis(issue, now)
    assert "The warm-up of young.example allows 200 copies today; they are used up." in text
    assert "It continues on Monday 23 November at 01:00 (Europe/Berlin) with 300 copies. Wait; or change WARMUP" in text
    assert "young.example may not send yet" in diagnosis(issue, now - timedelta(days=1))


def test_the_limit_of_an_hour_is_reached(issue: Issue, pace: Pace) -> None:
    pace(per_hour=1)
    fill(issue, State.PENDING)
    limiter.shared().ask(rules=[limiter.Rule("all", 1, 3_600)], slow=[], wanted=1)
    assert "The limit of 1 copy in 60 min is reached: they leave evenly spaced." in diagnosis(issue)


def test_servers_that_are_away(issue: Issue) -> None:
    fill(issue, State.PENDING)
    limiter.shared().rest(subject="relay:a.example:25", seconds=30)
    assert "No answer from the mail server a.example:25: the others take its copies; it is tried again" in diagnosis(
        issue
    )
    limiter.shared().rest(subject="relay:b.example:25", seconds=30)
    assert "the mail server b.example:25, and there is no other: one copy is tried every few seconds" in diagnosis(
        issue
    )


def test_a_throttle_names_who_requested_it(issue: Issue) -> None:
    fill(issue, State.PENDING)
    limiter.shared().slow_down(subject="domain:gmail.com", base=40, hold=0)
    pace = re.search(
        r"requested by the mail domain gmail.com: ([\d.]+) copies a second now, growing with", diagnosis(issue)
    )
    assert pace is not None
    # It grows while the test looks.
    assert 20 <= float(pace[1]) < 40
    limiter.shared().slow_down(subject="esp:mailgun", base=40, hold=600)
    assert "A pause was requested by the provider mailgun; it continues " in diagnosis(issue)


def test_redis_is_away(issue: Issue, own_redis: Server) -> None:
    fill(issue, State.PENDING)
    own_redis.stop()
    assert "Redis does not answer" in diagnosis(issue)


def test_all_that_are_left_wait_for_another_try(issue: Issue) -> None:
    fill(
        issue,
        State.DEFERRED,
        3,
        due_at=timezone.now() + timedelta(hours=25),
        reason="mailbox_full",
        reason_parameters={"said": "452 4.2.2 Mailbox full."},
    )
    text = diagnosis(issue)
    assert "All remaining copies were put off (3); the next is tried on " in text
    assert "Most frequent: The mailbox is full: 452 4.2.2 Mailbox full. Wait;" in text
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert "the next is tried within a minute." in diagnosis(issue)


def test_a_server_that_is_away_is_named_by_the_attempts(issue: Issue) -> None:
    fill(issue, State.PENDING, 5)
    fill(
        issue,
        State.DEFERRED,
        due_at=timezone.now(),
        reason="not_reached",
        reason_parameters={"said": "Connection refused"},
    )
    assert (
        "Most frequent reply to the attempts: The mail server could not be reached, or the connection broke "
        "(Connection refused). Check" in diagnosis(issue)
    )


def test_copies_in_the_hands_of_a_lane_that_died(issue: Issue) -> None:
    now = timezone.now()
    fill(issue, State.ATTEMPTING, 2, lease_until=now + timedelta(seconds=60))
    assert "2 copies belong to a lane that is slow or has died; if it died, the copies are free at" in diagnosis(issue)
    Delivery.objects.update(lease_until=now + timedelta(seconds=119))
    assert diagnosis(issue) == ""


@pytest.mark.parametrize("state", [Issue.State.SENDING, Issue.State.PAUSED, Issue.State.SENT_WITH_EXCEPTIONS])
def test_uncertain_copies_come_with_their_two_choices(issue: Issue, state: Issue.State) -> None:
    issue.state = state
    fill(issue, State.UNCERTAIN)
    text = diagnosis(issue)
    assert "The mail server's reply to 1 copy was lost" in text
    for choice in ("--state uncertain", "--accept all", "--resend all"):
        assert f"manage.py deliveries {issue.pk} {choice}" in text


def test_a_paused_issue_says_who_or_what_paused_it(issue: Issue) -> None:
    issue.state = Issue.State.PAUSED
    issue_reasons.set_reason(issue, issue_reasons.by_hand("A typo in the headline."))
    assert "It is paused: A typo in the headline. If that names a fault, fix it" in diagnosis(issue)
    issue_reasons.set_reason(issue, Reason("refused_in_a_row", {"count": 20, "last": "5.7.1 not welcome"}))
    assert diagnosis(issue).startswith("Paused after 20 refusals in a row. The last one: 5.7.1 not welcome. If that")


def test_what_never_left_is_said(issue: Issue) -> None:
    issue.state = Issue.State.SENT_WITH_EXCEPTIONS
    fill(issue, State.EXPIRED, 2)
    fill(issue, State.RENDER_FAILED)
    text = diagnosis(issue)
    assert "2 copies never left (expired) and will not be sent." in text
    assert "1 copy never left (rendering failed)" in text


def test_a_stale_issue_says_so(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    preparing.prepare(issue_id=issue.pk, now=timezone.now() + timedelta(days=3))
    issue.refresh_from_db()
    assert diagnosis(issue).startswith("Not sent: it could not begin to leave in time.")


@pytest.mark.parametrize(
    ("late", "sentence"),
    [
        (-timedelta(hours=2), "It leaves "),
        (timedelta(seconds=5), "It is due, and begins within a minute."),
        (timedelta(minutes=10), "It was due 10 min ago, and has not begun. Check that Celery workers"),
    ],
)
def test_an_approved_issue_says_when_it_leaves(newsletter: Newsletter, late: timedelta, sentence: str) -> None:
    issue = frozen_issue(newsletter)
    now = timezone.now()
    issue.scheduled_for = now - late
    assert diagnosis(issue, now).startswith(sentence)


def test_a_draft_that_came_back_says_why(newsletter: Newsletter) -> None:
    issue = Issue.objects.create(newsletter=newsletter)
    issue_reasons.set_reason(issue, issue_reasons.by_hand("A wrong number."))
    assert diagnosis(issue).startswith("A wrong number. Check the draft")


def test_an_issue_whose_beginning_is_held_says_by_what(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    issue.scheduled_for = timezone.now() - LONG_AGO
    issue_reasons.set_reason(issue, issue_reasons.by_hand("Its newsletter is paused."))
    assert diagnosis(issue) == "Its newsletter is paused. Nothing needs to be done. "


def test_what_holds_others_is_not_said_of_an_issue_that_has_no_copies_left(issue: Issue) -> None:
    fill(issue, State.ACCEPTED, settled_at=timezone.now() - LONG_AGO)
    limiter.shared().rest(subject="relay:a.example:25", seconds=30)
    assert diagnosis(issue) == ""


@pytest.mark.parametrize("holder", ["clock", "server", "nobody"])
def test_what_is_explained_is_not_called_unknown(issue: Issue, holder: str) -> None:
    """Who reads two reasons looks for the wrong one."""
    fill(issue, State.PENDING)
    if holder == "clock":
        heartbeat.beat(work="clock", now=timezone.now() - LONG_AGO)
    if holder == "server":
        limiter.shared().rest(subject="relay:a.example:25", seconds=30)
    assert ("for no known reason" in diagnosis(issue)) is (holder == "nobody")


def test_what_waits_for_another_try_does_not_stand_still(issue: Issue) -> None:
    now = timezone.now()
    fill(
        issue,
        State.DEFERRED,
        due_at=now + timedelta(hours=1),
        reason="mailbox_full",
        reason_parameters={"said": "452 4.2.2 Mailbox full."},
    )
    assert "Nothing has" not in diagnosis(issue)
    fill(issue, State.ATTEMPTING, lease_until=now + timedelta(seconds=30))
    assert "belong" in diagnosis(issue)


def test_an_hour_is_of_today_where_the_newsletter_is(issue: Issue, pace: Pace) -> None:
    """Half past midnight in Berlin is yesterday in London."""
    pace(hours=(time(7), time(21)))
    fill(issue, State.PENDING)
    night = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert "it continues at 07:00 (Europe/Berlin)." in diagnosis(issue, night)
