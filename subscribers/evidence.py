"""The consent record of one person: every act, the texts that were shown, and whether the record is intact."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from mailkit import addresses
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import consent, legal, permissions, suppression, verification
from subscribers.models import ConsentEvent, LegalVersion, Subscriber, Subscription


def of(*, address: str, actor: AbstractBaseUser | None, now: datetime, is_whole_walked: bool = False) -> dict[str, Any]:
    """Everything that proves one person's consent, ready for JSON. `address` is text as a person types it.

    This person's links are verified for it with their neighbours, and the newest heads; what the clock found when it
    walked the whole record last is among the remarks. `is_whole_walked`: the whole record is walked for it now.
    Works after the person was erased, because the chain keeps the keyed hash, and has the acts under addresses that the
    person had before. The audit log says who asked.
    On failure: InvalidAddress.
    """
    permissions.require_all(permissions.PROVE, user=actor)
    key = addresses.normalise(address).key
    proof = gather(address_key=key, is_whole_walked=is_whole_walked)
    reader = Subscriber.objects.filter(address_key=key).first()
    with transaction.atomic():
        audit.record(action=AuditAction.READER_EXPORTED, actor=actor, target=reader, now=now, acts=len(proof["events"]))
    return proof


def gather(*, address_key: str, is_whole_walked: bool = False) -> dict[str, Any]:
    """The same for a reader who asks for the own proof, of which the audit log has nothing."""
    address_hash = addresses.keyed_hash(address_key)
    people = ConsentEvent.objects.filter(address_hash=address_hash).order_by().values("subscriber_uuid")
    theirs = ConsentEvent.objects.filter(Q(address_hash=address_hash) | Q(subscriber_uuid__in=people))
    events = list(theirs.select_related("origin").order_by("pk"))
    report = verification.verify() if is_whole_walked else verification.verify_events(events)
    suppressed = suppression.find(address_hash)
    return {
        "address": addresses.mask(address_key),
        "address_hash": address_hash,
        "chain": {
            "intact": report.is_whole,
            "first_broken_event": report.broken.event_id if report.broken else None,
            "reason": report.broken.reason if report.broken else None,
        },
        "faults_of_the_record": report.faults,
        "remarks_on_the_record": report.remarks,
        "suppressed": suppressed.reason if suppressed else None,
        "subscriptions": [subscription_facts(row) for row in _subscriptions_of(address_key)],
        "events": [event_facts(event) for event in events],
        "texts": texts(events),
    }


def _subscriptions_of(key: str) -> Iterable[Subscription]:
    return Subscription.objects.filter(subscriber__address_key=key).select_related("newsletter").order_by("pk")


def subscription_facts(row: Subscription) -> dict[str, Any]:
    """One subscription, ready for JSON."""
    return {
        "newsletter": row.newsletter.slug,
        "cadence": row.cadence,
        "state": row.state,
        "confirmed_at": _iso(row.confirmed_at),
        "unsubscribed_at": _iso(row.unsubscribed_at),
        "proved_by_event": row.consent_event_id,
    }


def event_facts(event: ConsentEvent) -> dict[str, Any]:
    """One act as the record has it, ready for JSON."""
    origin = getattr(event, "origin", None)
    facts = {name: getattr(event, name) for name in consent.FORMATS[consent.FORMAT] if name != "address_hash"}
    facts |= {"subscriber_uuid": str(event.subscriber_uuid), "occurred_at": _iso(event.occurred_at)}
    return {
        "id": event.pk,
        **facts,
        "form_text_is_as_shown": event.form_text_sha256 == consent.text_hash(event.form_text),
        "hash": event.hash,
        "ip": origin.ip if origin else None,
    }


def texts(events: Iterable[ConsentEvent]) -> list[dict[str, Any]]:
    """The legal texts that these acts name, in full, each once, and whether they are as they were shown."""
    named = {(shown["document"], shown["version"], shown["sha256"]) for event in events for shown in event.documents}
    versions = LegalVersion.objects.filter(document__slug__in={slug for slug, _, _ in named})
    stored = {(version.document.slug, version.number): version for version in versions.select_related("document")}
    return [_text_facts(*shown, stored.get(shown[:2])) for shown in sorted(named)]


def _text_facts(slug: str, number: int, sha256: str, version: LegalVersion | None) -> dict[str, Any]:
    """`sha256` is what was shown; `version` is what is stored under that name today, None when it is gone."""
    return {
        "document": slug,
        "version": number,
        "sha256": sha256,
        "title": version.document.title if version else "",
        "language": version.language if version else "",
        "published_at": _iso(version.published_at) if version else None,
        "is_as_shown": version is not None and legal.text_hash(version=version) == sha256,
        "html": version.body_html if version else "",
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
