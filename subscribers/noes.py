"""The noes of readers, kept outside of the database too: a restored backup must not turn one into a yes.

Each act that ends something is also a line of a file in `noes/` of CONSENT_HEADS, one file per host, written at once by
a worker and otherwise by the clock. A line names nobody: it has the reader's uuid and the keyed hash of the mailbox, as
the consent record does, and is sealed with the key of that record. Lines are JSON:

    {"at": "...", "event": 1207, "hash": "<64 hex>", "kind": "withdrawn", "said_at": "...", "reader": "<uuid>",
     "mailbox": "<64 hex>", "newsletter": "daily", "key": "<8 hex>", "seal": "<64 hex>"}

A database that does not have the event of the newest line went back in time; `noes_replay` repeats what it forgot. The
line of the kind SETTLED says from which event on the file and the record go together again.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from celery import shared_task
from django.conf import settings

from core import database_clock, hash_chain, line_files
from subscribers.models import ConsentEvent

log = logging.getLogger(__name__)

RECORD: Final = "subscribers.noes"
Kind = ConsentEvent.Kind
NOES: Final = (Kind.WITHDRAWN, Kind.ERASED, Kind.TRACKING_WITHDRAWN)
T = TypeVar("T")
SETTLED: Final = "settled"
BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class No:
    """One line: which act of whom it was, and when it was written here and said."""

    at: str
    event: int
    hash: str
    kind: str
    said_at: str = ""
    reader: str = ""
    mailbox: str = ""
    newsletter: str = ""

    @property
    def moment(self) -> datetime:
        """When it was said."""
        return datetime.fromisoformat(self.said_at)


@shared_task
def write_noes() -> None:
    """Wakes `write` up after an act; the clock comes too."""
    write(now=database_clock.now())


def write(*, now: datetime) -> int:
    """Add the acts that no line has yet; return how many. Nothing, when the record went back in time.

    Safe to repeat, and to do on two hosts at once: an act that has two lines counts once. A file that cannot be written
    is logged.
    """
    folder = _folder()
    if folder is None:
        return 0
    try:
        newest = _newest(folder)
        if newest is not None and not _is_there(newest):
            return 0
        return _write(folder, after=newest.event if newest else 0, now=now)
    except OSError as error:
        log.error("The noes of readers cannot be kept in %s: %s.", folder, error.strerror)
        return 0


def is_behind() -> bool:
    """Whether the database has forgotten the newest act. On failure: OSError."""
    folder = _folder()
    newest = _newest(folder) if folder else None
    return newest is not None and not _is_there(newest)


def forgotten() -> Iterator[No]:
    """The acts that the record does not have, as each file has them. On failure: OSError."""
    folder = _folder()
    for some in _batches(_all(folder) if folder else iter(())):
        there = _there(some)
        yield from (no for no in some if no.kind != SETTLED and (no.event, no.hash) not in there)


def settle(*, now: datetime) -> None:
    """What was forgotten is repeated: from here on the newest line is one that the record has. On failure: OSError."""
    folder = _folder()
    if folder is None:
        return
    known = [pair for some in _batches(_all(folder)) for pair in _there(some)]
    event, digest = max(known, default=(0, ""))
    with line_files.own(folder) as file:
        line_files.append(file, [_line(No(_stamp(now), event, digest, SETTLED))])


def damaged() -> int:
    """How many lines are not as they were written, or sealed with a key that is missing. On failure: OSError."""
    folder = _folder()
    return sum(_parse(line) is None for line in line_files.all_of(folder)) if folder else 0


def _write(folder: Path, *, after: int, now: datetime) -> int:
    rows = ConsentEvent.objects.filter(pk__gt=after, kind__in=NOES).order_by("pk")
    if not rows.exists():
        return 0
    count = 0
    with line_files.own(folder) as file:
        for some in _batches(rows.iterator(chunk_size=BATCH)):
            line_files.append(file, (_line(_no(event, now)) for event in some))
            count += len(some)
    return count


def _no(event: ConsentEvent, now: datetime) -> No:
    return No(
        at=_stamp(now), event=event.pk, hash=event.hash, kind=event.kind, said_at=_stamp(event.occurred_at),
        reader=str(event.subscriber_uuid), mailbox=event.address_hash, newsletter=event.newsletter_slug,
    )  # fmt: skip


def _newest(folder: Path) -> No | None:
    lines = (_parse(line) for line in line_files.last_of_each(folder))
    return max((no for no in lines if no is not None), key=lambda no: (no.at, no.event), default=None)


def _all(folder: Path) -> Iterator[No]:
    lines = (_parse(line) for line in line_files.all_of(folder))
    return (no for no in lines if no is not None)


def _batches(rows: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(rows, BATCH)):
        yield some


def _is_there(no: No) -> bool:
    return not no.event or bool(_there([no]))


def _there(some: Iterable[No]) -> set[tuple[int, str]]:
    """Those of the events that the record has."""
    rows = ConsentEvent.objects.filter(hash__in={no.hash for no in some})
    return set(rows.values_list("pk", "hash"))


def _line(no: No) -> bytes:
    facts = {**asdict(no), "key": hash_chain.key_id(settings.CONSENT_KEY, record=RECORD)}
    seal = hash_chain.seal(facts, key=settings.CONSENT_KEY, record=RECORD)
    return json.dumps({**facts, "seal": seal}, sort_keys=True).encode()


def _parse(line: bytes) -> No | None:
    """The line, if it is as it was written."""
    try:
        facts: dict[str, Any] = json.loads(line)
        seal, key = str(facts.pop("seal")), _keyring().get(str(facts["key"]))
        if key is None or not hmac.compare_digest(seal, hash_chain.seal(facts, key=key, record=RECORD)):
            return None
        return No(**{name: value for name, value in facts.items() if name != "key"})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _keyring() -> dict[str, str]:
    keys = (settings.CONSENT_KEY, *settings.CONSENT_KEY_FALLBACKS)
    return {hash_chain.key_id(key, record=RECORD): key for key in keys}


def _folder() -> Path | None:
    return settings.CONSENT_HEADS / "noes" if settings.CONSENT_HEADS is not None else None


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
