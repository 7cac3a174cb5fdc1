"""Undo suppressions after an incident in which a mail server, relay or provider reported false bounces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from digests.models import Delivery, DeliveryEvent, Issue
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import suppression


@dataclass(frozen=True, slots=True)
class Incident:
    """Hard bounces about mailboxes in a time span, optionally of one issue and one reporter."""

    since: datetime
    until: datetime
    issue: Issue | None = None
    provider: str = ""


def readers(*, incident: Incident) -> Sequence[str]:
    """The keyed hashes of the readers whom the bounces are about. Erased readers are not among them."""
    bounces = DeliveryEvent.objects.filter(
        kind=DeliveryEvent.Kind.HARD_BOUNCE,
        about_mailbox=True,
        received_at__gte=incident.since,
        received_at__lte=incident.until,
    )
    if incident.issue is not None:
        bounces = bounces.filter(issue=incident.issue)
    if incident.provider:
        bounces = bounces.filter(provider=incident.provider)
    copies = Delivery.objects.filter(uuid__in=bounces.values("delivery_uuid"), subscriber__isnull=False)
    return sorted(set(copies.values_list("subscriber__address_hash", flat=True)))


def suppressed(*, incident: Incident) -> int:
    """How many of the readers have been suppressed for a bounce since the incident began."""
    return suppression.bounced(address_hashes=readers(incident=incident), since=incident.since).count()


@transaction.atomic
def lift(*, incident: Incident, actor: AbstractBaseUser | None, now: datetime) -> int:
    """Lift the suppressions, so that these readers get the next issue; returns how many. Complaints stay suppressed."""
    count = suppression.lift_bounces(address_hashes=readers(incident=incident), since=incident.since)
    if count:
        audit.record(
            action=AuditAction.SUPPRESSION_LIFTED, actor=actor, target=incident.issue, now=now, count=count,
            since=incident.since.isoformat(), until=incident.until.isoformat(), provider=incident.provider,
        )  # fmt: skip
    return count
