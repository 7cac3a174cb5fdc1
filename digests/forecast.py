"""Which newsletters will take a story, when, and how many readers that is; for the page that asks before publishing."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from articles.models import NEWS_FOR, Article
from digests.models import Issue
from publication import formatting, hours
from subscribers import cadences, schedules
from subscribers.cadences import Cadence
from subscribers.models import CadenceOffer, Newsletter, Subscription


def of(article: Article, at: datetime, now: datetime) -> list[str]:
    """One sentence for each cadence of each newsletter that will take it, soonest first; one when none will."""
    if article.published_at is not None and article.published_at < at - NEWS_FOR:
        return [_("It is dated too far back to be news, so no newsletter takes it by itself.")]
    offers = [offer for offer in _offers() if _covers(offer.newsletter, article)]
    instant = [_at_once(offer, now) for offer in offers if offer.cadence == Cadence.INSTANT and not _was_out(article)]
    digests = sorted(
        (schedules.upcoming(offer=offer, now=at, number=1)[0], offer.pk, offer)
        for offer in offers
        if offer.cadence in cadences.DIGESTS and not _has_it(offer, article)
    )
    lines = [*instant, *(_in_digest(offer, run, now) for run, _pk, offer in digests)]
    return lines or [_("No newsletter takes it.")]


def _offers() -> list[CadenceOffer]:
    return list(CadenceOffer.objects.filter(is_active=True).select_related("newsletter").order_by("pk"))


def _covers(newsletter: Newsletter, article: Article) -> bool:
    sections = set(newsletter.sections.values_list("pk", flat=True))
    return not sections or article.section_id in sections


def _was_out(article: Article) -> bool:
    """A story that comes back is not mailed by itself again."""
    return article.first_published_at is not None


def _has_it(offer: CadenceOffer, article: Article) -> bool:
    """Whether a digest of this series decided on it already."""
    issues = Issue.objects.filter(newsletter=offer.newsletter_id, cadence=offer.cadence, kind=Issue.Kind.DIGEST)
    return issues.filter(items__article=article).exclude(state=Issue.State.CANCELLED).exists()


def _readers(offer: CadenceOffer, now: datetime) -> str:
    subscriptions = Subscription.objects.filter(newsletter=offer.newsletter_id, cadence=offer.cadence)
    count = subscriptions.mailable(now=now).count()
    return ngettext("%(count)s reader", "%(count)s readers", count) % {"count": formatting.number(count)}


def _at_once(offer: CadenceOffer, now: datetime) -> str:
    facts = {"newsletter": offer.newsletter.name, "readers": _readers(offer, now)}
    if offer.newsletter.auto_approve:
        return _("Instant of %(newsletter)s: %(readers)s at once.") % facts
    return _("Instant of %(newsletter)s: %(readers)s, as soon as somebody approves it.") % facts


def _in_digest(offer: CadenceOffer, run: datetime, now: datetime) -> str:
    return _("%(cadence)s of %(newsletter)s takes it %(when)s: %(readers)s.") % {
        "cadence": str(dict(Cadence.choices)[offer.cadence]),
        "newsletter": offer.newsletter.name,
        "when": hours.when(run, zone=offer.newsletter.time_zone, now=now),
        "readers": _readers(offer, now),
    }
