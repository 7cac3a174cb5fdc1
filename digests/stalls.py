"""Why an issue does not move, or not as fast as it might, and what a person can do: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings

from digests import heartbeat
from digests.issue_reasons import TRIPPED
from digests.models import Delivery, Issue
from digests.sending.pacing import report
from digests.stats import Progress, spoken

State = Issue.State

# Nothing is said of an issue that is merely about to begin, or between two batches.
SOON: Final = timedelta(minutes=3)
QUIET_SECONDS: Final = 20.0
NOTHING: Final = "Nothing is to be done."
NOTHING_ELSE: Final = "Other hosts go on; nothing else is to be done."
SEE_SERVER: Final = "See that the server runs, and that EMAIL_URL names it."
SEE_WORKERS: Final = (
    "See that Celery workers for the queues “ticks” and “digest” and one beat run, and what their logs say."
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and what to do; whole sentences. `commands` do or show it at a terminal."""

    why: str
    advice: str
    commands: tuple[str, ...] = ()


def reasons(*, issue: Issue, progress: Progress, now: datetime) -> list[Reason]:
    """What holds the issue, the weightiest first; nothing while it goes on as it should."""
    by_state = {
        State.DRAFT: _draft,
        State.SCHEDULED: _waiting,
        State.PREPARING: _waiting,
        State.SENDING: _sending,
        State.PAUSED: _paused,
        State.SENT_WITH_EXCEPTIONS: _exceptions,
        State.CANCELLED: _cancelled,
    }
    tell = by_state.get(State(issue.state))
    return list(tell(issue, progress, now)) if tell else []


def _draft(issue: Issue, _progress: Progress, _now: datetime) -> Iterator[Reason]:
    if issue.state_reason:
        yield Reason(issue.reason_sentence, "Look at the draft again, and approve it.")


def _waiting(issue: Issue, _progress: Progress, now: datetime) -> Iterator[Reason]:
    """Approved, and nobody has a copy yet."""
    due = issue.scheduled_for or now
    if due > now:
        yield Reason(f"It leaves {_at(due, issue, now)}.", NOTHING)
        return
    yield from _clock(now)
    hours = report.hours(issue=issue, now=now)
    if not hours.is_open:
        yield _closed(hours, issue, now)
    elif issue.state_reason:
        yield Reason(issue.reason_sentence, NOTHING)
    elif now - due > SOON:
        yield Reason(
            f"Its hour came {spoken(seconds=(now - due).total_seconds())} ago, and it has not begun.", SEE_WORKERS
        )
    else:
        yield Reason("Its hour has come; it begins within a minute.", NOTHING)


def _sending(issue: Issue, progress: Progress, now: datetime) -> Iterator[Reason]:
    yield from _clock(now)
    if progress.open:
        shared = list(_shared(issue, now))
        yield from shared
        yield from _rows(issue, progress, now, is_explained=bool(shared) or heartbeat.clock_is_late(now=now))
    yield from _uncertain(issue, progress)


def _paused(issue: Issue, progress: Progress, _now: datetime) -> Iterator[Reason]:
    sentence = issue.reason_sentence.rstrip(".") or "no reason was given"
    yield Reason(
        f"{sentence}." if issue.state_reason in TRIPPED else f"It is paused: {sentence}.",
        "Mend what it names, if that is a fault; then resume on the issue's page. Nobody gets a second copy.",
        (f"manage.py deliveries {issue.pk}",),
    )
    yield from _uncertain(issue, progress)


def _exceptions(issue: Issue, progress: Progress, _now: datetime) -> Iterator[Reason]:
    yield from _uncertain(issue, progress)
    lost = [state for state in (Delivery.State.EXPIRED, Delivery.State.RENDER_FAILED) if progress.by_state[state]]
    for state in lost:
        copies = _copies(progress.by_state[state])
        yield Reason(
            f"{copies} never left ({Delivery.State(state).label.lower()}) and will not leave any more.",
            "Look at their reasons. These readers find the issue in the archive.",
            (f"manage.py deliveries {issue.pk} --state {state}",),
        )


def _cancelled(issue: Issue, _progress: Progress, _now: datetime) -> Iterator[Reason]:
    yield Reason(issue.reason_sentence or "It was cancelled.", NOTHING)


def _clock(now: datetime) -> Iterator[Reason]:
    """Nobody works, or not every host."""
    if refusal := heartbeat.refused():
        yield Reason(refusal, NOTHING_ELSE)
    seconds = heartbeat.age(work="clock", now=now)
    if seconds is not None and seconds > heartbeat.LATE_SECONDS:
        yield Reason(f"No worker has done the clock's work for {spoken(seconds=seconds)}.", SEE_WORKERS)


def _shared(issue: Issue, now: datetime) -> Iterator[Reason]:
    """What holds every issue alike: hours, plans, limits, servers."""
    hours, pace = report.hours(issue=issue, now=now), report.pace()
    if not hours.is_open:
        yield _closed(hours, issue, now)
    if hours.allowed == 0:
        yield Reason(
            f"{hours.sender} may send nothing yet: its plan in WARMUP begins later.", "Wait; or change WARMUP."
        )
    elif hours.left == 0:
        more = f" with {hours.tomorrow:,} copies" if hours.tomorrow is not None else ""
        yield Reason(
            f"The {hours.allowed:,} copies that {hours.sender} may send today while it is warmed up are used up; "
            f"it continues {_at(hours.day_ends_at, issue, now)}{more}.",
            "Wait; or change WARMUP and restart the workers.",
        )
    for rule in pace.full:
        yield Reason(
            f"The limit of {rule.limit:,} copies in {spoken(seconds=rule.seconds)} is reached: "
            "they leave evenly spaced.",
            "Wait; or change RATE_PER_HOUR and restart the workers.",
        )
    yield from _servers(pace, issue, now)


def _servers(pace: report.Pace, issue: Issue, now: datetime) -> Iterator[Reason]:
    """Mail servers that are away or ask for patience."""
    if pace.away:
        names = ", ".join(_name(route) for route in sorted(pace.away))
        others = "the others take its copies; it is tried again every half minute"
        if len(pace.away) == len(pace.routes):
            others = "no other one is left; one copy is tried every few seconds, and all others wait"
        yield Reason(f"No answer from {names}: {others}.", SEE_SERVER)
    for throttle in pace.throttles:
        if throttle.held:
            when = _at(now + timedelta(seconds=throttle.held), issue, now)
            yield Reason(
                f"We were asked to wait by {_name(throttle.subject)}: it gets nothing until then, {when}.", NOTHING
            )
        else:
            pace_now = f"{throttle.per_second:.3g} copies a second now, more with every quiet second"
            yield Reason(f"A slower pace was asked for by {_name(throttle.subject)}: {pace_now}.", NOTHING)
    if not pace.is_known:
        yield Reason(
            "Redis does not answer: workers hear of work late or not at all, and each keeps to a share of the limits.",
            "Start Redis again (REDIS_URL); what is due is found in the rows.",
        )


def _rows(issue: Issue, progress: Progress, now: datetime, *, is_explained: bool) -> Iterator[Reason]:
    """What the copies themselves wait for."""
    counts = progress.by_state
    if progress.open == progress.deferred and progress.retries:
        next_at = min(retry.next_at for retry in progress.retries)
        answer = progress.retries[0].reason.rstrip(".")
        yield Reason(
            f"All that are left were put off, {_copies(progress.deferred)}; "
            f"the next is tried {_soon(next_at, issue, now)}. The most frequent answer: {answer}.",
            "Wait; or mend what the mail servers complain of.",
            (f"manage.py deliveries {issue.pk} --state deferred",),
        )
    quiet = _quiet(issue, progress, now)
    if is_explained or quiet < QUIET_SECONDS or progress.open == progress.deferred:
        return
    in_hands = counts[Delivery.State.CLAIMED] + counts[Delivery.State.ATTEMPTING]
    if in_hands == progress.open - progress.deferred and progress.held_until:
        freed = _at(progress.held_until + timedelta(minutes=1), issue, now)
        yield Reason(
            f"{_copies(in_hands)} {'is' if in_hands == 1 else 'are'} in the hands of a lane that is slow or has died; "
            f"if it died they are free {freed}.",
            "Wait until then; those that may have left are uncertain afterwards.",
        )
    elif progress.retries:
        answer = progress.retries[0].reason.rstrip(".")
        yield Reason(
            f"Nothing has left for {spoken(seconds=quiet)}. The most frequent answer to what was tried: {answer}.",
            f"{SEE_SERVER} It is tried again every minute.",
            (f"manage.py deliveries {issue.pk} --state deferred",),
        )
    else:
        yield Reason(f"Nothing has moved for {spoken(seconds=quiet)}, and nothing is known to hold it.", SEE_WORKERS)


def _quiet(issue: Issue, progress: Progress, now: datetime) -> float:
    """Seconds since anything of it moved."""
    return (now - (progress.moved_at or issue.started_at or now)).total_seconds()


def _uncertain(issue: Issue, progress: Progress) -> Iterator[Reason]:
    if not progress.uncertain:
        return
    copies = f"manage.py deliveries {issue.pk}"
    yield Reason(
        f"Of {_copies(progress.uncertain)} the mail server's answer was lost: they arrived, or they did not.",
        "Choose for all of them or one by one: call them accepted, or send them again; some readers may then get two.",
        (f"{copies} --state uncertain", f"{copies} --accept all", f"{copies} --resend all"),
    )


def _closed(hours: report.Hours, issue: Issue, now: datetime) -> Reason:
    opens, closes = (f"{hour:%H:%M}" for hour in settings.PACING.hours or ())
    begins = f"; it continues {_at(hours.opens_at, issue, now)}" if hours.opens_at else ""
    return Reason(
        f"Copies leave from {opens} to {closes} only{begins}.", "Wait; or change SEND_HOURS and restart the workers."
    )


def _name(subject: str) -> str:
    """`relay:host:25`, `esp:mailgun`, `domain:gmail.com`, `local` as people call them."""
    kind, _, name = subject.partition(":")
    known = {"relay": f"the mail server {name}", "esp": f"the provider {name}", "domain": f"the mail domain {name}"}
    return known.get(kind, "the folder for local mail")


def _copies(count: int) -> str:
    return "1 copy" if count == 1 else f"{count:,} copies"


def _at(moment: datetime, issue: Issue, now: datetime) -> str:
    """`at 10:05 (Europe/Berlin)`, with its day unless that is today; in the newsletter's own time zone."""
    zone = ZoneInfo(issue.newsletter.time_zone)
    local = moment.astimezone(zone)
    day = "" if local.date() == now.astimezone(zone).date() else f"on {local:%Y-%m-%d} "
    return f"{day}at {local:%H:%M} ({issue.newsletter.time_zone})"


def _soon(moment: datetime, issue: Issue, now: datetime) -> str:
    """As `_at`; the clock finds within a minute what is due."""
    return "within a minute" if moment <= now + timedelta(minutes=1) else _at(moment, issue, now)
