"""Is the proof of consent what it was? The chain, its heads outside of the database, and the texts it names."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings

from subscribers import consent, heads, legal
from subscribers.models import ConsentEvent, LegalVersion

NO_HEADS = (
    "No head of the record was kept outside of the database so far, so nobody can tell whether events are missing "
    "from its end. The clock keeps one from now on; see docs/operations.md."
)


@dataclass(slots=True)
class Report:
    """How many events hold, the last hash, every fault as a sentence, and what could not be looked at."""

    count: int = 0
    head: str = consent.GENESIS
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def verify(*, expected: Sequence[str] = ()) -> Report:
    """Walk the whole record once. `expected` are heads that somebody kept, as "HASH" or "COUNT:HASH"."""
    report = Report()
    claims = _claims(expected, report)
    missing, texts = Counter[tuple[str, int]](), _texts(report)
    try:
        for event in consent.links():
            report.count, report.head = report.count + 1, event.hash
            claims.see(report.count, event.hash)
            if event.form_text and event.form_text_sha256 != _sha256(event.form_text):
                report.faults.append(f"The words beside the box of event {event.pk} do not have the hash in it.")
            missing.update(_unknown(event, texts))
    except consent.ChainBroken as broken:
        report.faults.append(f"Broken at consent event {broken.link.event_id}: {broken.link.reason}.")
    else:
        report.faults += claims.unkept(report.count)
    report.faults += [
        f"Version {number} of “{slug}”, which {times} events name, is not stored as it was shown."
        for (slug, number), times in sorted(missing.items())
    ]
    return report


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
        kept = heads.read()
    except heads.Damaged as damage:
        report.faults.append(str(damage))
        kept = []
    else:
        if not kept and settings.CONSENT_HEADS is not None:
            report.remarks.append(NO_HEADS)
    for head in kept:
        claims.add(head.head, head.count, f"According to the head of {head.at[:19]} UTC")
        if head.note:
            report.remarks.append(f"On {head.at[:10]} somebody accepted a loss: {head.note}")
    for text in expected:
        count, _, digest = text.strip().rpartition(":")
        claims.add(
            digest.lower(), int(count) if count.isdigit() else None, f"According to the expected head {digest[:12]}"
        )
    return claims


def _texts(report: Report) -> set[str]:
    """The hashes of all published texts as they are stored now; a text that was overwritten is a fault."""
    hashes = set()
    for version in LegalVersion.objects.filter(published_at__isnull=False).select_related("document"):
        digest = legal.text_hash(version=version)
        if digest != version.sha256:
            report.faults.append(f"The text of {version} was changed after it was published.")
        hashes.add(digest)
    return hashes


def _unknown(event: ConsentEvent, texts: set[str]) -> list[tuple[str, int]]:
    return [(shown["document"], shown["version"]) for shown in event.documents if shown["sha256"] not in texts]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
