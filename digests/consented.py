"""What a reader had agreed to at an instant, by the consent record, and where a reader came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from subscribers.consent_sources import SOURCES
from subscribers.models import ConsentEvent, Newsletter, Subscriber

Kind = ConsentEvent.Kind


@dataclass(frozen=True, slots=True)
class Consent:
    """`event`: the reader's yes that held then, or since when there was none.

    `cadence`: that of the yes, or a lower one to which the publication moved the reader since.
    `later`: the first yes after that instant, of a reader who had not said one. `is_asked`: requested, not confirmed.
    """

    event: ConsentEvent | None
    cadence: str = ""
    left_at: datetime | None = None
    later: ConsentEvent | None = None
    is_asked: bool = False


def slugs(newsletter: Newsletter) -> list[str]:
    """The names by which the consent record knows the newsletter."""
    return [newsletter.slug, *newsletter.former_slugs]


def at(*, reader: Subscriber, newsletter: Newsletter, moment: datetime) -> Consent:
    """What the reader had agreed to about the newsletter at this moment."""
    acts = ConsentEvent.objects.filter(subscriber_uuid=reader.uuid, newsletter_slug__in=slugs(newsletter)).order_by(
        "pk"
    )
    consent = Consent(None)
    for event in acts:
        if event.occurred_at > moment:
            if consent.event is None and is_yes(event):
                return Consent(None, left_at=consent.left_at, later=event, is_asked=consent.is_asked)
            continue
        if is_yes(event):
            consent = Consent(event, cadence=event.cadence)
        elif event.kind == Kind.REDUCED and consent.event is not None:
            consent = replace(consent, cadence=event.cadence)
        elif event.kind == Kind.WITHDRAWN:
            consent = Consent(None, left_at=event.occurred_at)
        elif event.kind == Kind.REQUESTED and consent.event is None:
            consent = Consent(None, left_at=consent.left_at, is_asked=True)
    return consent


def is_yes(event: ConsentEvent) -> bool:
    """Whether the act allows mail."""
    return event.kind == Kind.CONFIRMED or (event.kind == Kind.IMPORTED and event.basis > "")


def how(*, event: ConsentEvent) -> str:
    """How the act came about, in words."""
    if event.kind == Kind.IMPORTED:
        return _("imported: %(basis)s") % {"basis": event.basis}
    return source_name(event.source)


def source_name(source: str) -> str:
    """A source of the consent record in words; one that has none as it is written there."""
    return str(SOURCES.get(source, source)) or _("unknown")


def path(url: str) -> str:
    """The path of a page of ours on which a form was sent."""
    return urlsplit(url).path
