"""Is the proof of consent what it was? The chain, its heads outside of the database, and the texts it names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import connection

from core import soft_cache
from subscribers import consent, consent_heads, legal, unproved
from subscribers.models import ConsentEvent, LegalVersion

NO_HEADS = (
    "No head of the record was kept outside of the database so far, so nobody can tell whether events are missing "
    "from its end. The clock keeps one from now on; see docs/operations.md."
)
KEY: Final = "consent:walked"
NEVER_WALKED: Final = "The whole record was not walked yet; the clock does so once a day."
WALKED: Final = "The whole record was walked last on {at} UTC."
# The texts are looked at apart from the chain: behind its first broken link nothing is walked any more.
NAMED_TEXTS = """
SELECT shown ->> 'document', shown ->> 'version', shown ->> 'sha256', count(*)
FROM subscribers_consentevent AS event, jsonb_array_elements(
    CASE jsonb_typeof(event.documents) WHEN 'array' THEN event.documents ELSE '[]' END
) AS shown
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
# As `consent.text_hash`.
CHANGED_SENTENCES = """
SELECT count(*), min(id) FROM subscribers_consentevent WHERE form_text_sha256 <>
    CASE form_text WHEN '' THEN '' ELSE encode(sha256(convert_to(form_text, 'UTF8')), 'hex') END
"""


@dataclass(slots=True)
class Report:
    """How many events hold, the last hash, every fault as a sentence, and what could not be looked at.

    `broken` is the first link that does not hold; `is_whole`: none is, and nothing is missing from the end.
    """

    count: int = 0
    head: str = consent.GENESIS
    broken: consent.BrokenLink | None = None
    is_whole: bool = False
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def verify(*, expected: Sequence[str] = ()) -> Report:
    """Walk the whole record once. `expected` are heads that somebody kept, as "HASH" or "COUNT:HASH"."""
    report = Report()
    claims = _claims(expected, report)
    try:
        for event in consent.links():
            report.count, report.head = report.count + 1, event.hash
            claims.see(report.count, event.hash)
    except consent.ChainBroken as broken:
        report.broken = broken.link
        report.faults.append(f"Broken at consent event {broken.link.event_id}: {broken.link.reason}.")
    else:
        report.faults += claims.unkept(report.count)
    report.is_whole = not report.faults
    report.faults += _changed_sentences() + _changed_texts() + unproved.report()
    return report


def verify_events(events: Sequence[ConsentEvent]) -> Report:
    """These events, each with its neighbours, and the newest heads: what one person's page waits for.

    `count` and `head` are those of the events. Whether the rest of the record holds, only `verify` says; what its last
    walk found is in the remarks (`standing`).
    """
    report = Report(count=len(events), head=events[-1].hash if events else consent.GENESIS)
    try:
        for event in events:
            consent.check(event)
    except consent.ChainBroken as broken:
        report.broken = broken.link
        report.faults.append(f"Broken at consent event {broken.link.event_id}: {broken.link.reason}.")
    if fault := consent_heads.lost():
        report.faults.append(fault)
    report.is_whole = not report.faults
    report.remarks += standing()
    return report


def walk(*, now: datetime) -> list[str]:
    """Verify the whole record and remember what was found; return its faults."""
    faults = verify().faults
    soft_cache.write(KEY, (now, faults), seconds=None)
    return faults


def standing() -> list[str]:
    """When the whole record was walked last, and what did not hold then."""
    remembered: tuple[datetime, list[str]] | None = soft_cache.read(KEY)
    if remembered is None:
        return [NEVER_WALKED]
    at, faults = remembered
    return [WALKED.format(at=f"{at:%Y-%m-%d %H:%M}"), *faults]


def standing_faults() -> list[str]:
    """What did not hold when the whole record was walked last; nothing while that is not known."""
    return standing()[1:]


class Claims:
    """Heads that the chain must have: hash -> the position at which, and the words for who says so."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[int | None, str]] = {}
        self.misplaced: list[str] = []

    def add(self, head: str, count: int | None, source: str) -> None:
        """One more; of equal ones the first stays, and another place for the same hash is a fault at once."""
        known = self.open.get(head)
        if known and None not in (count, known[0]) and count != known[0]:
            self.misplaced.append(f"{source}, event {count} has a hash that was kept as that of event {known[0]}.")
        elif head != consent.GENESIS:
            self.open.setdefault(head, (count, source))

    def see(self, position: int, head: str) -> None:
        """The chain has this hash at this position."""
        count, source = self.open.pop(head, (None, ""))
        if count is not None and count != position:
            self.misplaced.append(
                f"{source}, event {count} was what is event {position} now: events before it are gone."
            )

    def unkept(self, total: int) -> list[str]:
        """A sentence for the claims that the chain does not hold: the loss of its end first."""
        gone = [(count or 0, source) for count, source in self.open.values()]
        if not gone:
            return self.misplaced
        count, source = max(gone)
        if count > total:
            lost = "all of them" if not total else f"at least the last {count - total}"
            return [f"{source}, the record had {count} events; it has {total} now: {lost} are gone.", *self.misplaced]
        return [f"{source}, the record had another event {count or ''}: it was written again since.", *self.misplaced]


def _claims(expected: Sequence[str], report: Report) -> Claims:
    claims = Claims()
    try:
        recorded = consent_heads.read()
    except consent_heads.Damaged as damage:
        report.faults.append(str(damage))
        recorded = []
    else:
        if fault := consent_heads.missing():
            report.faults.append(fault)
        elif not recorded and settings.CONSENT_HEADS is not None:
            report.remarks.append(NO_HEADS)
    for head in recorded:
        claims.add(head.head, head.count, f"According to the head of {head.at[:19]} UTC")
        if head.note:
            report.remarks.append(f"On {head.at[:10]} somebody accepted a loss: {head.note}")
    for text in expected:
        count, _, digest = text.strip().rpartition(":")
        claims.add(
            digest.lower(), int(count) if count.isdigit() else None, f"According to the expected head {digest[:12]}"
        )
    return claims


def _changed_sentences() -> list[str]:
    """A fault if a sentence beside the box is not the one that was hashed when it was shown."""
    with connection.cursor() as cursor:
        cursor.execute(CHANGED_SENTENCES)
        count, first = cursor.fetchone()
    if not count:
        return []
    events = f"event {first}" if count == 1 else f"{count} events, the first of them event {first},"
    return [f"The consent sentence of {events} was overwritten: it does not have the hash recorded beside it."]


def _changed_texts() -> list[str]:
    """A fault for each published text that was overwritten, and for each that events name and nobody has any more."""
    faults, stored = [], set[str]()
    for version in LegalVersion.objects.filter(published_at__isnull=False).select_related("document"):
        digest = legal.text_hash(version=version)
        if digest != version.sha256:
            faults.append(f"The text of {version} was changed after it was published.")
        stored.add(digest)
    with connection.cursor() as cursor:
        cursor.execute(NAMED_TEXTS)
        named = cursor.fetchall()
    return faults + [
        f"Version {number} of “{slug}”, which {times} events name, is not stored as it was shown."
        for slug, number, digest, times in named
        if digest not in stored
    ]
