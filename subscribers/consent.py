"""The proof of consent: an append-only chain of acts, each sealed over the one before.

A link's hash is an HMAC-SHA256 over the canonical JSON of its row and the hash of
its predecessor. Each row names the format of that JSON and the key, so that one more fact
or another key leaves every earlier link as it is. Triggers refuse UPDATE and DELETE;
`subscribers.verification` detects changes that got around them. The chain names people by
uuid and keyed hash, so it outlives their row.
"""

import hashlib
import hmac
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from core import hash_chain
from mailkit import characters
from publication import bulk_rows
from subscribers import consent_rows
from subscribers.models import ConsentEvent, LegalVersion, Newsletter, Subscriber

GENESIS = hash_chain.GENESIS
RECORD: Final = "subscribers.consent"
MISSING = "the record before it is missing, or was put in later"
WRONG_KEY = (
    "it was sealed with the key {name}, and CONSENT_KEY is another one: add the former key to CONSENT_KEY_FALLBACKS"
)
# The first event of a chain from before keys had names.
WRONG_OR_CHANGED = (
    "no key that is configured has sealed it: add the key of that time to CONSENT_KEY_FALLBACKS. "
    "If that key is there, its content was changed after it was recorded"
)
# One writer at a time extends the chain; any fixed number that no other lock of ours uses.
CHAIN_LOCK: Final = "consent chain"
SEALED = (
    "kind", "subscriber_uuid", "address_hash", "newsletter_slug", "cadence", "documents", "form_text",
    "form_text_sha256", "form_url", "locale", "source", "basis", "user_agent_sha256", "occurred_at", "previous_hash",
)  # fmt: skip
# Format -> the facts that its hash covers. A published format never changes: a new fact is a new format.
FORMATS = {1: SEALED, 2: (*SEALED, "format", "key_id")}
FORMAT = 2
# What an act repeats of the one that it answers. The language belongs to the sentence that was shown.
AGREED_TO = ("documents", "form_text", "form_text_sha256", "locale")
BATCH = 2_000
LONGEST_BASIS: Final = 500  # characters, as the column holds


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one act: where it came from and which words were shown."""

    ip: str | None = None
    user_agent: str = ""
    form_url: str = ""
    locale: str = ""
    versions: Sequence[LegalVersion] = ()
    form_text: str = ""
    basis: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Who did what about which newsletter; `newsletter_slug` is empty for acts about the whole person.

    `agreed` is the earlier act whose texts this one answers: they are repeated
    in it, because no text was shown again. `basis` is where and how this one was
    said, where the acts of one moment differ in it.
    """

    kind: ConsentEvent.Kind
    subscriber_uuid: uuid.UUID
    address_hash: str
    newsletter_slug: str = ""
    cadence: str = ""
    agreed: ConsentEvent | None = None
    basis: str = ""


# Uuid, hash of the address, and where and how this person said it.
Person = tuple[uuid.UUID, str, str]


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first row of the chain that does not hold, and why."""

    event_id: int
    reason: str


class ChainBroken(Exception):
    """The chain does not hold at `link`."""

    def __init__(self, event_id: int, reason: str) -> None:
        super().__init__(reason)
        self.link = BrokenLink(event_id, reason)


def record(
    *,
    subscriber: Subscriber,
    newsletter: Newsletter | None,
    event: ConsentEvent.Kind,
    evidence: Evidence,
    now: datetime,
    cadence: str = "",
    agreed: ConsentEvent | None = None,
) -> ConsentEvent:
    """Append one act and return it. Must run inside a transaction; nothing is kept if that rolls back."""
    act = Act(
        kind=event,
        subscriber_uuid=subscriber.uuid,
        address_hash=subscriber.address_hash,
        newsletter_slug=newsletter.slug if newsletter else "",
        cadence=cadence,
        agreed=agreed,
    )
    return append(acts=[act], evidence=evidence, now=now)[0]


def append(*, acts: Sequence[Act], evidence: Evidence, now: datetime) -> list[ConsentEvent]:
    """Append the acts in order, under one lock that is held until the transaction ends.

    Take row locks before calling this, never after, so that two writers cannot
    wait for each other. On failure nothing is appended.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("The consent chain is extended inside a transaction.")
    if not acts:
        return []
    shown = _shown(evidence, now)
    previous = consent_rows.head(lock=CHAIN_LOCK)
    events = []
    for act in acts:
        event = ConsentEvent(
            **(shown | _named(act)), format=FORMAT, key_id=key_id(settings.CONSENT_KEY), previous_hash=previous
        )
        event.hash = previous = seal(event)
        events.append(event)
    consent_rows.insert(events=events, ip=evidence.ip)
    return events


def append_alike(
    *,
    kind: ConsentEvent.Kind,
    newsletter_slug: str,
    cadence: str = "",
    people: Sequence[Person],
    evidence: Evidence,
    now: datetime,
) -> list[int]:
    """`append` for thousands who did the same; returns the ids of the events. A person's basis is the event's."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("The consent chain is extended inside a transaction.")
    if not people:
        return []
    act = Act(kind, *people[0][:2], newsletter_slug=newsletter_slug, cadence=cadence)
    known = key_id(settings.CONSENT_KEY)
    example = ConsentEvent(**(_shown(evidence, now) | _named(act)), format=FORMAT, key_id=known)
    facts = {name: getattr(example, name) for name in FORMATS[FORMAT]}
    varying = ("subscriber_uuid", "address_hash", "basis", "previous_hash")
    sealer = hash_chain.Sealer(facts, varying=varying, key=settings.CONSENT_KEY, record=RECORD)
    previous = consent_rows.head(lock=CHAIN_LOCK)
    # Drawn under the lock, so that the order of the ids is that of the chain.
    ids = bulk_rows.reserve(model=ConsentEvent, count=len(people))
    rows = []
    for number, (person, address_hash, words) in zip(ids, people, strict=True):
        name, basis = str(person), characters.line(words)[:LONGEST_BASIS]
        link = sealer.seal(subscriber_uuid=name, address_hash=address_hash, basis=basis, previous_hash=previous)
        rows.append((number, name, address_hash, basis, previous, link))
        previous = link
    bulk_rows.copy_in(example=example, varying=("id", *varying, "hash"), rows=rows)
    return ids


def seal(event: ConsentEvent, *, key: str | None = None) -> str:
    """The 64 hex digits that belong to this row; they cover every fact of its format and the link before."""
    facts = {name: getattr(event, name) for name in FORMATS[event.format]}
    return hash_chain.seal(facts, key=settings.CONSENT_KEY if key is None else key, record=RECORD)


def key_id(key: str) -> str:
    """The name of a key, in 8 hex digits that do not tell it."""
    return hash_chain.key_id(key, record=RECORD)


def links() -> Iterator[ConsentEvent]:
    """Walk the whole chain and yield each event that holds. On failure: ChainBroken, at the first that does not."""
    keys, previous = keyring(), GENESIS
    for event in ConsentEvent.objects.order_by("pk").iterator(chunk_size=BATCH):
        if event.previous_hash != previous:
            raise ChainBroken(event.pk, MISSING)
        _check_seal(event, keys)
        previous = event.hash
        yield event


def check(event: ConsentEvent) -> None:
    """Look at one event and its two neighbours alone. On failure: ChainBroken.

    After: its content is what was sealed, and the events before and after it name each other.
    """
    _check_seal(event, keyring())
    before = ConsentEvent.objects.filter(pk__lt=event.pk).order_by("-pk").values_list("hash", flat=True).first()
    if event.previous_hash != (before or GENESIS):
        raise ChainBroken(event.pk, MISSING)
    after = ConsentEvent.objects.filter(pk__gt=event.pk).order_by("pk").values_list("pk", "previous_hash").first()
    if after is not None and after[1] != event.hash:
        raise ChainBroken(after[0], MISSING)


def verify() -> BrokenLink | None:
    """The first broken link of the chain, or None when all of it holds.

    A chain cut off at its end looks whole from inside; `subscribers.verification` compares its heads too.
    """
    try:
        for _ in links():
            pass
    except ChainBroken as broken:
        return broken.link
    return None


def keyring() -> dict[str, str]:
    """Name -> key, of the key in use and of those before it."""
    return {key_id(key): key for key in (settings.CONSENT_KEY, *settings.CONSENT_KEY_FALLBACKS)}


def _check_seal(event: ConsentEvent, keys: dict[str, str]) -> None:
    """On failure: ChainBroken. Events of format 1 do not name their key, so any may have sealed them."""
    if event.format not in FORMATS:
        raise ChainBroken(event.pk, f"its format {event.format} is not known to this version of the software")
    if event.key_id and event.key_id not in keys:
        raise ChainBroken(event.pk, WRONG_KEY.format(name=event.key_id))
    candidates = [keys[event.key_id]] if event.key_id else list(keys.values())
    if any(hmac.compare_digest(event.hash, seal(event, key=key)) for key in candidates):
        return
    if not event.key_id and event.previous_hash == GENESIS:
        raise ChainBroken(event.pk, WRONG_OR_CHANGED)
    raise ChainBroken(event.pk, "its content was changed after it was recorded")


def head() -> tuple[int, str]:
    """How many links there are, and the hash of the last one."""
    last = ConsentEvent.objects.order_by("-pk").values_list("hash", flat=True).first()
    return ConsentEvent.objects.count(), last or GENESIS


def _shown(evidence: Evidence, now: datetime) -> dict[str, Any]:
    """The facts that all acts of one moment share, cut to what the columns hold."""
    # As the columns store it: what is sealed is what will be read.
    form_text = characters.text(evidence.form_text)
    return {
        "documents": [document_facts(version) for version in evidence.versions],
        "form_text": form_text,
        "form_text_sha256": text_hash(form_text),
        "form_url": characters.line(evidence.form_url)[:500],
        "locale": characters.line(evidence.locale)[:12],
        "source": characters.line(evidence.source)[:40],
        "basis": characters.line(evidence.basis)[:LONGEST_BASIS],
        "user_agent_sha256": text_hash(evidence.user_agent),
        "occurred_at": now,
    }


def document_facts(version: LegalVersion) -> dict[str, Any]:
    """How the chain names a legal text: its document, its number and the hash of its words."""
    return {"document": version.document.slug, "version": version.number, "sha256": version.sha256}


def _named(act: Act) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": str(act.kind),
        "subscriber_uuid": act.subscriber_uuid,
        "address_hash": act.address_hash,
        "newsletter_slug": act.newsletter_slug,
        "cadence": str(act.cadence),
    }
    if act.basis:
        facts["basis"] = characters.line(act.basis)[:LONGEST_BASIS]
    if act.agreed is not None:
        facts |= {name: getattr(act.agreed, name) for name in AGREED_TO}
    return facts


def agreed(*, subscriber: Subscriber) -> dict[str, ConsentEvent]:
    """The last act of this reader, per newsletter slug, in which they agreed to texts that were shown."""
    kinds = [ConsentEvent.Kind.REQUESTED, ConsentEvent.Kind.CONFIRMED, ConsentEvent.Kind.IMPORTED]
    events = ConsentEvent.objects.filter(subscriber_uuid=subscriber.uuid, kind__in=kinds).order_by("pk")
    return {event.newsletter_slug: event for event in events}


def text_hash(text: str) -> str:
    """The SHA-256 of words that were shown or sent, as the record keeps it; nothing for no words."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest() if text else ""
