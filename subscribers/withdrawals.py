"""Withdrawals of consent: a "no" holds until the reader's own act; nobody else can turn it into a yes.

It is stored in the consent chain, by the keyed hash of the address, so it needs no reader
here and outlives one.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime

from publication.bulk_rows import any_of
from subscribers import consent
from subscribers.models import ConsentEvent, Newsletter, Subscription

OWN_ACTS = (ConsentEvent.Kind.CONFIRMED, ConsentEvent.Kind.WITHDRAWN)


def in_force(*, address_hashes: Collection[str], newsletter: Newsletter) -> set[str]:
    """Those of the hashes who left this newsletter, or whose last act was to leave and who read nothing now."""
    acts = (
        ConsentEvent.objects.filter(any_of("address_hash", address_hashes), kind__in=OWN_ACTS)
        .order_by("address_hash", "newsletter_slug", "-pk")
        .distinct("address_hash", "newsletter_slug")
        .values_list("pk", "address_hash", "newsletter_slug", "kind")
    )
    left_this, last = set[str](), dict[str, str]()
    for _, address_hash, slug, kind in sorted(acts):
        last[address_hash] = kind
        if slug == newsletter.slug and kind == ConsentEvent.Kind.WITHDRAWN:
            left_this.add(address_hash)
    left_last = {address_hash for address_hash, kind in last.items() if kind == ConsentEvent.Kind.WITHDRAWN}
    reading = Subscription.objects.confirmed().filter(any_of("subscriber__address_hash", left_last))
    return left_this | (left_last - set(reading.values_list("subscriber__address_hash", flat=True)))


def record(*, reasons: Mapping[str, str], newsletter: Newsletter, source: str, now: datetime) -> None:
    """Keep the "no" of people who have no subscription here: hash -> where and how it was said.

    Must run inside a transaction. It makes no subscriber; their own sign-up works as for anybody.
    """
    people = [(uuid.uuid4(), address_hash, reasons[address_hash]) for address_hash in sorted(reasons)]
    consent.append_alike(
        kind=ConsentEvent.Kind.WITHDRAWN, newsletter_slug=newsletter.slug, people=people,
        evidence=consent.Evidence(source=source), now=now,
    )  # fmt: skip
