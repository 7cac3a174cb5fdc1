"""The circuit breaker of sign-ups: are the letters that ask for a confirmation answered?

Programs that enter other people's addresses have letters sent that nobody confirms. While few enough are confirmed,
a sign-up has to compute or to wait (`subscribers.effort`). There is no state: the share of the last hours is read from
the rows, so the breaker is back by itself when the share is, or when few letters were sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, Exists, OuterRef
from django.utils.translation import ngettext

from core import soft_cache
from publication import formatting
from subscribers.models import Letter

KEY: Final = "signups:answers"
# How long the count of one process holds for all.
SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Answers:
    """Confirmation letters that were sent within the last hours, and how many of them were confirmed."""

    sent: int
    confirmed: int

    @property
    def has_tripped(self) -> bool:
        """Whether so few of enough letters were confirmed that sign-ups have to compute or to wait."""
        breaker = settings.SIGNUP_BREAKER
        return self.sent >= breaker.letters and self.confirmed * 100 < self.sent * breaker.percent

    @property
    def sentence(self) -> str:
        """For a person of the team: the numbers, and what follows from them."""
        sentence = ngettext(
            "Of %(sent)s confirmation letters of the last hour, %(confirmed)s were confirmed: programs seem to enter "
            "addresses of other people. Until more are confirmed, each sign-up has to compute or to wait.",
            "Of %(sent)s confirmation letters of the last %(hours)s hours, %(confirmed)s were confirmed: programs seem "
            "to enter addresses of other people. Until more are confirmed, each sign-up has to compute or to wait.",
            settings.SIGNUP_BREAKER.hours,
        )
        numbers = {"sent": formatting.number(self.sent), "confirmed": formatting.number(self.confirmed)}
        return sentence % {**numbers, "hours": settings.SIGNUP_BREAKER.hours}


def look(*, now: datetime) -> Answers:
    """The answers of the last hours, as they were at most SECONDS ago."""
    known: Answers | None = soft_cache.read(KEY)
    if known is None:
        known = _count(now)
        soft_cache.write(KEY, known, seconds=SECONDS)
    return known


def has_tripped(*, now: datetime) -> bool:
    """Whether a sign-up has to compute or to wait now."""
    return settings.SIGNUP_BREAKER.percent > 0 and look(now=now).has_tripped


def _count(now: datetime) -> Answers:
    about = Letter.subscriptions.through.objects.filter(letter=OuterRef("pk"))
    confirmed = about.filter(subscription__confirmed_at__gte=OuterRef("created_at"))
    since = now - timedelta(hours=settings.SIGNUP_BREAKER.hours)
    letters = Letter.objects.filter(kind=Letter.Kind.CONFIRM, state=Letter.State.SENT, settled_at__gt=since)
    return Answers(**letters.aggregate(sent=Count("pk"), confirmed=Count("pk", filter=Exists(confirmed))))
