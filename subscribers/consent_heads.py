"""Heads of the consent record, stored outside of the database: what makes the loss of its end visible.

A chain that is cut off at its end looks whole from inside. So each minute in which it grew, one line with
its length and its last hash is added to a file in CONSENT_HEADS, one file per host. A line is sealed with
the key of the record, over the line before: somebody who holds the database alone can neither take the
file's word back nor write a line of their own. Lines are JSON:

    {"at": "...", "count": 1200, "event": 1207, "head": "<64 hex>", "key": "<8 hex>", "note": "", "seal": "<64 hex>"}

The first `count` events ended with the event of that id and hash. A line with a `note` was written by a
person who accepts that what stood before it may be gone, as after a restored backup.

The database remembers when the newest line was written (KeptHead), so that a directory that was emptied is
no fresh one. All hosts share the directory.
"""

import contextlib
import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from core import line_files
from subscribers import consent
from subscribers.models import ConsentEvent, KeptHead

logger = logging.getLogger(__name__)

PURPOSE = "newsroom.subscribers.heads:"
LOST = "The consent record has lost events that it had at {at} UTC: run manage.py verify_consent."
EMPTIED = (
    "On {at} UTC a head of the record ({count} events) was written into CONSENT_HEADS, and {folder} does not have it: "
    "files were deleted or cut off, or this host has another directory than the one that wrote it. Until it is back, "
    "nobody can tell whether events are missing from the end of the record. Put the directory back from its backup, "
    "or set CONSENT_HEADS to the one that all hosts share. If it is lost for good, look for a head elsewhere (in the "
    "log, in a mail) and ask for it with --expect-head. Then accept the loss once, with the reason: "
    'manage.py verify_consent --accept-loss "..."'
)
DAMAGED = (
    "Line {number} of {name} in CONSENT_HEADS is not as it was written, or its key is missing. If the key was changed, "
    "add the former one to CONSENT_KEY_FALLBACKS. Otherwise somebody wrote into the file: keep a copy, and put it back "
    "from its backup"
)


@dataclass(frozen=True, slots=True)
class Head:
    """What one line says."""

    at: str
    count: int
    event: int
    head: str
    note: str = ""


class Damaged(ValueError):
    """A file of heads is not as it was written; str() is a sentence that names the file and the line."""


def anchor(*, now: datetime) -> Head | None:
    """Add the head to this host's file if the chain grew; None if it did not, or if no heads are kept.

    It never follows a chain that has lost events, nor begins again in a directory that has lost heads:
    that is logged, and the file stays as it is. A file that cannot be written is logged too: the rest of
    the clock's work goes on.
    """
    try:
        return _anchor(now) if settings.CONSENT_HEADS is not None else None
    except OSError as error:
        logger.error("The head of the consent record cannot be kept in CONSENT_HEADS: %s.", error.strerror)
        return None


def _anchor(now: datetime) -> Head | None:
    with _own_file() as file:
        if fault := missing():
            logger.error("%s", fault)
            return None
        last = _parse(line_files.last(file))
        head = _current(last, now)
        if head is None or (last is not None and head.event == last.event):
            return None
        _append(file, head)
    logger.info("Consent record: %s events, head %s.", head.count, head.head)
    return head


def accept_loss(*, note: str, now: datetime) -> Head:
    """Write the present head with a note: what was claimed before is not asked for any more."""
    count, head = consent.head()
    event = ConsentEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    accepted = Head(at=_stamp(now), count=count, event=event, head=head, note=note[:300])
    with _own_file() as file:
        _append(file, accepted)
    return accepted


def missing() -> str:
    """A sentence if the newest head that was ever written is not in the directory any more, else nothing."""
    newest = KeptHead.objects.first()
    if newest is None or settings.CONSENT_HEADS is None or any(head.at >= newest.at for head in _newest_of_each_file()):
        return ""
    return EMPTIED.format(at=newest.at[:19].replace("T", " "), count=newest.count, folder=settings.CONSENT_HEADS)


def lost() -> str:
    """A sentence if the record has no longer what the newest head says, else nothing. Reads one line of each file."""
    if fault := missing():
        return fault
    if settings.CONSENT_HEADS is None:
        return ""
    newest = max(_newest_of_each_file(), key=lambda head: head.at, default=None)
    if newest is None or _is_there(newest):
        return ""
    return LOST.format(at=newest.at[:19].replace("T", " "))


def read() -> list[Head]:
    """The heads that the chain must still have, of all hosts, oldest first. On failure: Damaged.

    The end of a line that a crash cut off is left out.
    """
    if settings.CONSENT_HEADS is None:
        return []
    heads = [head for path in sorted(settings.CONSENT_HEADS.glob("*.jsonl")) for head in _all(path)]
    accepted = max((head.at for head in heads if head.note), default="")
    return sorted((head for head in heads if head.at >= accepted), key=lambda head: (head.at, head.count))


def _current(last: Head | None, now: datetime) -> Head | None:
    """The head of the chain, counted on from the last line; None when there is nothing to say."""
    event, head = ConsentEvent.objects.order_by("-pk").values_list("pk", "hash").first() or (0, consent.GENESIS)
    if last is None:
        return Head(_stamp(now), ConsentEvent.objects.count(), event, head) if event else None
    if not _is_there(last):
        # On another host somebody may have accepted that; this file goes on from there.
        accepted = _accepted(since=last.at)
        if accepted is None or not _is_there(accepted):
            logger.error("%s", LOST.format(at=last.at[:19].replace("T", " ")))
            return None
        last = accepted
    return Head(_stamp(now), last.count + ConsentEvent.objects.filter(pk__gt=last.event).count(), event, head)


def _newest_of_each_file() -> Iterator[Head]:
    """The last whole line of each host's file; what a crash cut off was never counted."""
    for line in line_files.last_of_each(Path(str(settings.CONSENT_HEADS))):
        head = _parse(line)
        if head is not None:
            yield head


def _is_there(head: Head) -> bool:
    return not head.event or ConsentEvent.objects.filter(pk=head.event, hash=head.head).exists()


def _accepted(*, since: str) -> Head | None:
    """The newest line with a note of any host, if it is newer."""
    folder = Path(str(settings.CONSENT_HEADS))
    heads = (_parse(line) for path in folder.glob("*.jsonl") for line in path.read_bytes().splitlines())
    noted = [head for head in heads if head is not None and head.note and head.at > since]
    return max(noted, key=lambda head: head.at, default=None)


def _own_file() -> contextlib.AbstractContextManager[BinaryIO]:
    return line_files.own(Path(str(settings.CONSENT_HEADS)))


def _append(file: BinaryIO, head: Head) -> None:
    facts = {**asdict(head), "key": consent.key_id(settings.CONSENT_KEY)}
    seal = _seal(facts, line_files.last(file), settings.CONSENT_KEY)
    line_files.append(file, [json.dumps({**facts, "seal": seal}, sort_keys=True).encode()])
    KeptHead.objects.update_or_create(pk=1, defaults={"at": head.at, "count": head.count})


def _all(path: Path) -> Iterator[Head]:
    keys, previous = consent.keyring(), b""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            head = _parse(line)
            if head is None or not _is_sealed(line, previous, keys):
                raise Damaged(DAMAGED.format(number=number, name=path.name))
            previous = line.removesuffix(b"\n")
            yield head


def _parse(line: bytes) -> Head | None:
    try:
        facts = json.loads(line)
        return Head(str(facts["at"]), int(facts["count"]), int(facts["event"]), str(facts["head"]), str(facts["note"]))
    except (ValueError, KeyError, TypeError):
        return None


def _is_sealed(line: bytes, previous: bytes, keys: dict[str, str]) -> bool:
    facts = json.loads(line)
    seal, key = str(facts.pop("seal", "")), keys.get(str(facts.get("key", "")))
    return key is not None and hmac.compare_digest(seal, _seal(facts, previous, key))


def _seal(facts: dict[str, object], previous: bytes, key: str) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hmac.digest((PURPOSE + key).encode(), previous + b"\n" + canonical.encode(), "sha256").hex()


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="microseconds")
