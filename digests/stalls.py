"""Stall diagnosis: why an issue does not move, or moves slowly, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import dateformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from digests import heartbeat
from digests.issue_reasons import TRIPPED
from digests.models import Delivery, Issue
from digests.sending.pacing import report
from digests.stats import Progress
from publication import formatting

State = Issue.State

# No diagnosis for an issue that is just about to begin, or between two batches.
SOON: Final = timedelta(minutes=3)
QUIET_SECONDS: Final = 20.0
NOTHING: Final = gettext_lazy("Nothing needs to be done.")
NOTHING_ELSE: Final = gettext_lazy("Other hosts go on; nothing else needs to be done.")
SEE_SERVER: Final = gettext_lazy("Check that the server runs, and that EMAIL_URL names it.")
SEE_WORKERS: Final = gettext_lazy(
    "Check that Celery workers for the queues “ticks” and “digest” and one beat run, and read their logs."
)
CHANGE_WARMUP: Final = gettext_lazy("Wait; or change WARMUP and restart the workers.")
CHANGE_RATE: Final = gettext_lazy("Wait; or change RATE_PER_HOUR and restart the workers.")
CHANGE_HOURS: Final = gettext_lazy("Wait; or change SEND_HOURS and restart the workers.")
UNCERTAIN_ADVICE: Final = gettext_lazy(
    "Decide for all of them or one by one: call them accepted, or send them again; some readers may then get two."
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The cause, and the advice; whole sentences. `commands` do it, or show it, at a terminal."""

    why: str
    advice: str | Promise
    commands: tuple[str, ...] = ()


def diagnose(*, issue: Issue, progress: Progress, now: datetime) -> list[Diagnosis]:
    """What holds the issue, the most important cause first; empty while it moves as it should."""
    by_state = {
        State.DRAFT: _draft,
        State.SCHEDULED: _waiting,
        State.PREPARING: _waiting,
        State.SENDING: _sending,
        State.PAUSED: _paused,
        State.SENT_WITH_EXCEPTIONS: _exceptions,
        State.CANCELLED: _cancelled,
    }
    causes = by_state.get(State(issue.state))
    return list(causes(issue, progress, now)) if causes else []


def _draft(issue: Issue, _progress: Progress, _now: datetime) -> Iterator[Diagnosis]:
    if issue.state_reason:
        yield Diagnosis(issue.reason_sentence, _("Check the draft, and approve it again."))


def _waiting(issue: Issue, _progress: Progress, now: datetime) -> Iterator[Diagnosis]:
    """Approved, and no copy has been planned yet."""
    due = issue.scheduled_for or now
    if due > now:
        yield Diagnosis(_("It leaves %(when)s.") % {"when": _at(due, issue, now)}, NOTHING)
        return
    yield from _clock(now)
    hours = report.hours(issue=issue, now=now)
    if not hours.is_open:
        yield _closed(hours, issue, now)
    elif issue.state_reason:
        yield Diagnosis(issue.reason_sentence, NOTHING)
    elif now - due > SOON:
        late = formatting.duration(seconds=(now - due).total_seconds())
        yield Diagnosis(_("It was due %(late)s ago, and has not begun.") % {"late": late}, SEE_WORKERS)
    else:
        yield Diagnosis(_("It is due, and begins within a minute."), NOTHING)


def _sending(issue: Issue, progress: Progress, now: datetime) -> Iterator[Diagnosis]:
    yield from _clock(now)
    if progress.open:
        shared = list(_shared(issue, now))
        yield from shared
        yield from _rows(issue, progress, now, is_explained=bool(shared) or heartbeat.clock_is_late(now=now))
    yield from _uncertain(issue, progress)


def _paused(issue: Issue, progress: Progress, _now: datetime) -> Iterator[Diagnosis]:
    sentence = issue.reason_sentence.rstrip(".") or _("no reason was given")
    yield Diagnosis(
        f"{sentence}." if issue.state_reason in TRIPPED else _("It is paused: %(reason)s.") % {"reason": sentence},
        _("If that names a fault, fix it; then resume on the issue's page. Nobody gets a second copy."),
        (f"manage.py deliveries {issue.pk}",),
    )
    yield from _uncertain(issue, progress)


def _exceptions(issue: Issue, progress: Progress, _now: datetime) -> Iterator[Diagnosis]:
    yield from _uncertain(issue, progress)
    for state in (Delivery.State.EXPIRED, Delivery.State.RENDER_FAILED):
        if count := progress.by_state[state]:
            yield Diagnosis(
                _("%(copies)s never left (%(state)s) and will not be sent.")
                % {"copies": formatting.copies(count), "state": Delivery.State(state).label.lower()},
                _("Look at their reasons. These readers find the issue in the archive."),
                (f"manage.py deliveries {issue.pk} --state {state}",),
            )


def _cancelled(issue: Issue, _progress: Progress, _now: datetime) -> Iterator[Diagnosis]:
    advice = _("What has not left stays here, unless somebody sends the rest.") if issue.planned_at else NOTHING
    yield Diagnosis(issue.reason_sentence or _("It was cancelled."), advice)


def _clock(now: datetime) -> Iterator[Diagnosis]:
    """No worker does scheduled work, or a host refuses to."""
    if refusal := heartbeat.refused():
        yield Diagnosis(refusal, NOTHING_ELSE)
    seconds = heartbeat.age(work="clock", now=now)
    if seconds is not None and seconds > heartbeat.LATE_SECONDS:
        silence = formatting.duration(seconds=seconds)
        yield Diagnosis(_("No worker has done scheduled work for %(time)s.") % {"time": silence}, SEE_WORKERS)


def _shared(issue: Issue, now: datetime) -> Iterator[Diagnosis]:
    """What holds all issues alike: send window, warm-up, rate limits, servers."""
    hours, pace = report.hours(issue=issue, now=now), report.pace()
    if not hours.is_open:
        yield _closed(hours, issue, now)
    if hours.allowed == 0:
        yield Diagnosis(
            _("%(sender)s may not send yet: its plan in WARMUP begins later.") % {"sender": hours.sender},
            CHANGE_WARMUP,
        )
    elif hours.left == 0:
        yield Diagnosis(_warmed_up(hours, issue, now), CHANGE_WARMUP)
    for rule in pace.full:
        yield Diagnosis(
            _("The limit of %(copies)s in %(time)s is reached: they leave evenly spaced.")
            % {"copies": formatting.copies(rule.limit), "time": formatting.duration(seconds=rule.seconds)},
            CHANGE_RATE,
        )
    yield from _servers(pace, issue, now)


def _warmed_up(hours: report.Hours, issue: Issue, now: datetime) -> str:
    facts = {
        "copies": formatting.copies(hours.allowed or 0),
        "sender": hours.sender,
        "when": _at(hours.day_ends_at, issue, now),
        "tomorrow": formatting.copies(hours.tomorrow or 0),
    }
    if hours.tomorrow is None:
        return _("The warm-up of %(sender)s allows %(copies)s today; they are used up. It continues %(when)s.") % facts
    return (
        _(
            "The warm-up of %(sender)s allows %(copies)s today; they are used up. "
            "It continues %(when)s with %(tomorrow)s."
        )
        % facts
    )


def _servers(pace: report.Pace, issue: Issue, now: datetime) -> Iterator[Diagnosis]:
    """Mail servers that cannot be reached or throttle us."""
    if pace.away:
        names = ", ".join(_name(route) for route in sorted(pace.away))
        if len(pace.away) == len(pace.routes):
            why = _("No answer from %(names)s, and there is no other: one copy is tried every few seconds.")
        else:
            why = _("No answer from %(names)s: the others take its copies; it is tried again every half minute.")
        yield Diagnosis(why % {"names": names}, SEE_SERVER)
    for throttle in pace.throttles:
        name = _name(throttle.subject)
        if throttle.held:
            when = _at(now + timedelta(seconds=throttle.held), issue, now)
            why = _("A pause was requested by %(name)s; it continues %(when)s.") % {"name": name, "when": when}
        else:
            why = _("A slower rate was requested by %(name)s: %(rate)s copies a second now, growing with each second.")
            why %= {"name": name, "rate": f"{throttle.per_second:.3g}"}
        yield Diagnosis(why, NOTHING)
    if not pace.is_known:
        yield Diagnosis(
            _("Redis does not answer: wake-ups are late or lost, and each worker uses a share of the limits."),
            _("Start Redis again (REDIS_URL); work that is due is found in the database."),
        )


def _rows(issue: Issue, progress: Progress, now: datetime, *, is_explained: bool) -> Iterator[Diagnosis]:
    """What the copies themselves wait for."""
    if progress.open == progress.deferred and progress.retries:
        next_at = min(retry.next_at for retry in progress.retries)
        yield Diagnosis(
            _("All remaining copies were put off (%(count)s); the next is tried %(when)s. Most frequent: %(reply)s.")
            % {
                "count": formatting.number(progress.deferred),
                "when": _soon(next_at, issue, now),
                "reply": _most_frequent_reply(progress),
            },
            _("Wait; or fix what the mail servers complain about."),
            (f"manage.py deliveries {issue.pk} --state deferred",),
        )
    quiet = _quiet(issue, progress, now)
    if not is_explained and quiet >= QUIET_SECONDS and progress.open != progress.deferred:
        yield _silent(issue, progress, now, quiet)


def _silent(issue: Issue, progress: Progress, now: datetime, quiet: float) -> Diagnosis:
    """Why no copy has moved for a while."""
    claimed = progress.by_state[Delivery.State.CLAIMED] + progress.by_state[Delivery.State.ATTEMPTING]
    if claimed == progress.open - progress.deferred and progress.held_until:
        freed = _at(progress.held_until + timedelta(minutes=1), issue, now)
        why = ngettext(
            "%(copies)s belongs to a lane that is slow or has died; if it died, the copy is free %(when)s.",
            "%(copies)s belong to a lane that is slow or has died; if it died, the copies are free %(when)s.",
            claimed,
        )
        return Diagnosis(
            why % {"copies": formatting.copies(claimed), "when": freed},
            _("Wait until then. Copies that may have left are uncertain afterwards."),
        )
    silence = formatting.duration(seconds=quiet)
    if progress.retries:
        return Diagnosis(
            _("Nothing has left for %(time)s. Most frequent reply to the attempts: %(reply)s.")
            % {"time": silence, "reply": _most_frequent_reply(progress)},
            _("%(check)s Each copy is tried again every minute.") % {"check": SEE_SERVER},
            (f"manage.py deliveries {issue.pk} --state deferred",),
        )
    return Diagnosis(_("Nothing has moved for %(time)s, for no known reason.") % {"time": silence}, SEE_WORKERS)


def _most_frequent_reply(progress: Progress) -> str:
    return progress.retries[0].reason.rstrip(".")


def _quiet(issue: Issue, progress: Progress, now: datetime) -> float:
    """Seconds since any copy of it moved, of those in which one could: a pause does not count.

    `updated_at` is when the issue entered its state.
    """
    since = max(filter(None, [progress.moved_at, issue.started_at, issue.updated_at]), default=now)
    return (now - since).total_seconds()


def _uncertain(issue: Issue, progress: Progress) -> Iterator[Diagnosis]:
    if not progress.uncertain:
        return
    command = f"manage.py deliveries {issue.pk}"
    why = ngettext(
        "The mail server's reply to %(copies)s was lost: it arrived, or it did not.",
        "The mail server's replies to %(copies)s were lost: they arrived, or they did not.",
        progress.uncertain,
    )
    yield Diagnosis(
        why % {"copies": formatting.copies(progress.uncertain)},
        UNCERTAIN_ADVICE,
        (f"{command} --state uncertain", f"{command} --accept all", f"{command} --resend all"),
    )


def _closed(hours: report.Hours, issue: Issue, now: datetime) -> Diagnosis:
    opens, closes = (f"{hour:%H:%M}" for hour in settings.PACING.hours or ())
    if hours.opens_at is None:
        why = _("Copies leave from %(opens)s to %(closes)s only.") % {"opens": opens, "closes": closes}
    else:
        why = _("Copies leave from %(opens)s to %(closes)s only; it continues %(when)s.")
        why %= {"opens": opens, "closes": closes, "when": _at(hours.opens_at, issue, now)}
    return Diagnosis(why, CHANGE_HOURS)


def _name(subject: str) -> str:
    """`relay:host:25`, `esp:mailgun`, `domain:gmail.com` or `local` in words."""
    kind, _colon, name = subject.partition(":")
    known = {
        "relay": _("the mail server %(name)s"),
        "esp": _("the provider %(name)s"),
        "domain": _("the mail domain %(name)s"),
    }
    return known[kind] % {"name": name} if kind in known else _("the folder for local mail")


def _at(moment: datetime, issue: Issue, now: datetime) -> str:
    """`at 10:05 (Europe/Berlin)`, in the newsletter's time zone, with its date unless that is today."""
    zone = ZoneInfo(issue.newsletter.time_zone)
    local = moment.astimezone(zone)
    facts = {
        "day": dateformat.format(local, pgettext("a weekday", "l j F")),
        "time": f"{local:%H:%M}",
        "zone": issue.newsletter.time_zone,
    }
    if local.date() == now.astimezone(zone).date():
        return _("at %(time)s (%(zone)s)") % facts
    return _("on %(day)s at %(time)s (%(zone)s)") % facts


def _soon(moment: datetime, issue: Issue, now: datetime) -> str:
    """As `_at`; what is due is tried within a minute."""
    return _("within a minute") if moment <= now + timedelta(minutes=1) else _at(moment, issue, now)
