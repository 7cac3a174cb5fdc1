"""The last hash of the audit log, kept outside the database: a log that is cut off at its end shows.

The clock adds a line to a file per host in `audit/` of CONSENT_HEADS, in each minute in which the log grew. A line
is sealed with CONSENT_KEY, including the line before, so that nobody with access to the database alone rewrites it.
"""

import fcntl
import hmac
import json
import logging
import os
import platform
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from core import hash_chain
from staff import audit
from staff.models import AuditEvent

log = logging.getLogger(__name__)

PURPOSE: Final = "newsroom.staff.audit.heads:"
GONE: Final = "At {at} UTC the audit log ended with entry {event}; that entry is gone, or another one now."
DAMAGED: Final = "Line {number} of {name} in {folder} is not as it was written, or its key is missing."


def anchor(*, now: datetime) -> bool:
    """Add the head to this host's file if the log grew; whether it did. A file that cannot be written is logged."""
    if (folder := _folder()) is None:
        return False
    newest = AuditEvent.objects.order_by("-pk").values_list("pk", "hash").first()
    if newest is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _append(folder, newest, now)
    except OSError as error:
        log.error("The head of the audit log cannot be kept in %s: %s.", folder, error.strerror)
        return False


def faults() -> list[str]:
    """A sentence for each kept head that the log does not have any more, and for each line that was changed."""
    folder = _folder()
    if folder is None or not folder.is_dir():
        return []
    return [fault for path in sorted(folder.glob("*.jsonl")) for fault in _faults_of(path)]


def _faults_of(path: Path) -> Iterator[str]:
    previous = ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        facts = _parsed(line)
        if facts is None or not hmac.compare_digest(str(facts.pop("seal", "")), _seal(facts, previous)):
            yield DAMAGED.format(number=number, name=path.name, folder=path.parent)
            return
        previous = line
        if not AuditEvent.objects.filter(pk=facts["event"], hash=facts["hash"]).exists():
            yield GONE.format(at=str(facts["at"])[:19].replace("T", " "), event=facts["event"])
            return


def _append(folder: Path, newest: tuple[int, str], now: datetime) -> bool:
    host = re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "host"
    with (folder / f"{host}.jsonl").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        lines = file.read().splitlines()
        previous = lines[-1] if lines else ""
        last = _parsed(previous)
        event, head = newest
        if last is not None and last["event"] >= event:
            return False
        key = hash_chain.key_id(settings.CONSENT_KEY, record=audit.RECORD)
        facts = {"at": now.astimezone(UTC).isoformat(), "event": event, "hash": head, "key": key}
        file.write(json.dumps({**facts, "seal": _seal(facts, previous)}, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    log.info("Audit log: entry %s, head %s.", event, head)
    return True


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        facts = json.loads(line)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and {"at", "event", "hash", "key"} <= facts.keys() else None


def _seal(facts: dict[str, Any], previous: str) -> str:
    key = audit.keyring().get(str(facts["key"]))
    if key is None:
        return "no key of this name is configured"
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hmac.digest((PURPOSE + key).encode(), f"{previous}\n{canonical}".encode(), "sha256").hex()


def _folder() -> Path | None:
    return settings.CONSENT_HEADS / "audit" if settings.CONSENT_HEADS is not None else None
