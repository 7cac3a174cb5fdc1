"""Taking back what a mad mail server, relay or provider did: suppressions for bounces that were none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from digests.models import Delivery, DeliveryEvent, Issue
from subscribers import suppression


@dataclass(frozen=True, slots=True)
class Incident:
    """Bounces that called a mailbox gone, between two moments, of one issue and one reporter where these are given."""

    since: datetime
    until: datetime
    issue: Issue | None = None
    provider: str = ""


def readers(*, incident: Incident) -> Sequence[str]:
    """The keyed hashes of the readers whom the incident's bounces are about; erased ones are nobody's any more."""
    told = DeliveryEvent.objects.filter(
        kind=DeliveryEvent.Kind.HARD_BOUNCE,
        about_mailbox=True,
        received_at__gte=incident.since,
        received_at__lte=incident.until,
    )
    if incident.issue is not None:
        told = told.filter(issue=incident.issue)
    if incident.provider:
        told = told.filter(provider=incident.provider)
    copies = Delivery.objects.filter(uuid__in=told.values("delivery_uuid"), subscriber__isnull=False)
    return sorted(set(copies.values_list("subscriber__address_hash", flat=True)))


def suppressed(*, incident: Incident) -> int:
    """How many of the incident's readers are suppressed for bounces since it began."""
    return suppression.bounced(address_hashes=readers(incident=incident), since=incident.since).count()


@transaction.atomic
def lift(*, incident: Incident) -> int:
    """Mail the incident's readers again from the next issue on; returns how many. Complaints stay."""
    return suppression.lift_bounces(address_hashes=readers(incident=incident), since=incident.since)
