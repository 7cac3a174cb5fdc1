"""How a newsletter's readership grew: by day, by source and story, and why readers were lost.

Counted from the consent record, which nobody can change: a reader is won by the first yes after no yes, and lost by
the act that ends it. Who changes the cadence was won already. A block after bounces or a complaint is a loss too: that
reader is mailed no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from articles.models import Article
from digests import consented
from subscribers import leaving, turns
from subscribers.models import ConsentEvent, Newsletter, Subscription, Suppression

DAYS: Final = 30
STORY: Final = "/articles/"


@dataclass(frozen=True, slots=True)
class Source:
    """Where readers came from. `story` is the story on whose page they signed up, if it was one."""

    name: str
    readers: int
    story: Article | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Why readers are mailed no more."""

    name: str
    readers: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day in the newsletter's time zone."""

    day: date
    won: int
    lost: int


@dataclass(frozen=True, slots=True)
class Growth:
    """A newsletter's growth within the days. `readers` may be mailed now; `won - lost` is the sum over the days."""

    newsletter: Newsletter
    readers: int
    days: tuple[Day, ...]
    sources: tuple[Source, ...]
    losses: tuple[Loss, ...]
    # Why readers left, as they gave it on the page after the way out, within a year.
    reasons: tuple[leaving.Given, ...]

    @property
    def won(self) -> int:
        return sum(day.won for day in self.days)

    @property
    def lost(self) -> int:
        return sum(day.lost for day in self.days)

    @property
    def net(self) -> int:
        return self.won - self.lost


def of(*, newsletter: Newsletter, now: datetime, days: int = DAYS) -> Growth:
    """The growth of the newsletter within the last days, today included."""
    zone = ZoneInfo(newsletter.time_zone)
    today = now.astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    since = datetime.combine(first, datetime.min.time(), zone)
    won, lost = Counter[date](), Counter[date]()
    sources, losses = Counter[tuple[str, str]](), Counter[str]()
    for turn in turns.within(newsletter=newsletter, since=since, until=now):
        if turn.is_yes:
            won[turn.day] += turn.readers
            sources[_source(turn)] += turn.readers
        else:
            lost[turn.day] += turn.readers
            why = _("erased") if turn.kind == ConsentEvent.Kind.ERASED else consented.source_name(turn.source)
            losses[why] += turn.readers
    for reason, blocked_at in _blocked(newsletter, since, now):
        lost[blocked_at.astimezone(zone).date()] += 1
        losses[_("blocked: %(reason)s") % {"reason": str(Suppression.Reason(reason).label).lower()}] += 1
    every = [first + timedelta(days=number) for number in range(days)]
    return Growth(
        newsletter=newsletter,
        readers=Subscription.objects.filter(newsletter=newsletter).mailable(now=now).count(),
        days=tuple(Day(day, won[day], lost[day]) for day in every),
        sources=tuple(_named(sources)),
        losses=tuple(Loss(name, readers) for name, readers in losses.most_common()),
        reasons=tuple(leaving.given(newsletter=newsletter, now=now)),
    )


def _blocked(newsletter: Newsletter, since: datetime, until: datetime) -> Iterable[tuple[str, datetime]]:
    """Readers who have not left, and whose address was blocked within the span. Who left is counted by that act."""
    confirmed = Subscription.objects.filter(newsletter=newsletter).confirmed()
    blocks = Suppression.objects.filter(
        created_at__gte=since, created_at__lt=until, address_hash__in=confirmed.values("subscriber__address_hash")
    )
    return blocks.exclude(reason=Suppression.Reason.ERASED).values_list("reason", "created_at")


def _source(turn: turns.Turn) -> tuple[str, str]:
    """What the readers of one source have in common: its name, and the slug of the story."""
    if turn.kind == ConsentEvent.Kind.IMPORTED:
        return _("import: %(basis)s") % {"basis": turn.basis}, ""
    page = consented.path(turn.asked_on) if turn.source == "confirm_link" else ""
    _before, story, slug = page.partition(STORY)
    if story and slug:
        return "", slug.strip("/")
    return (_("form on %(page)s") % {"page": page}, "") if page else (consented.source_name(turn.source), "")


def _named(sources: Counter[tuple[str, str]]) -> Iterable[Source]:
    """The sources with the stories' headlines, the most frequent first."""
    stories = {
        story.slug: story for story in Article.objects.filter(slug__in={slug for _name, slug in sources if slug})
    }
    for (name, slug), readers in sources.most_common():
        story = stories.get(slug)
        fallback = _("a story that had the address %(slug)s") % {"slug": slug}
        yield Source(name or (_("story: %(headline)s") % {"headline": story} if story else fallback), readers, story)
