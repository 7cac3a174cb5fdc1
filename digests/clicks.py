"""Links of an issue that are counted without a person: the same for all readers, signed, and quick to follow.

A counted link is `/l/<token>/?to=<address>`. The token has the issue's number and a signature over it and the address:
nothing is looked up to follow it, so it works while the database or Redis is away, and when the issue's copies are long
dropped; and nobody can make one that leads elsewhere. Visits are collected in memory and written some seconds later by
a thread of this process (decisions/0123).
"""

from __future__ import annotations

import atexit
import base64
import binascii
import hmac
import html as markup
import logging
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils.crypto import salted_hmac

from digests import click_rules
from digests.click_rules import Visit

log = logging.getLogger(__name__)

SALT: Final = "digests.clicks"
# 96 bits: guessing one would take longer than the site exists.
SIGNATURE_BYTES: Final = 12
LONGEST_URL: Final = 1_500
# Written every so often; a visit is judged when its whole window is known.
SECONDS: Final = 5.0
# A network that is never quiet for a window, as an operator's of phones, is judged as far as it is known by then.
LONGEST_WAIT: Final = 60.0
# Visits that wait. More than these within some seconds are not people, and are not counted.
MOST: Final = 50_000
STORY: Final = re.compile(r"^(/[a-z]{2,3}(-[a-z]+)?)?/articles/", re.IGNORECASE)
HREF: Final = re.compile(r'(<a\b[^>]*?\shref=")(https?://[^"]+)(")', re.IGNORECASE)

ADD: Final = """
INSERT INTO digests_linkcount AS stored (issue_id, hour, url, people, machines)
SELECT %(issue)s, %(hour)s, %(url)s, %(people)s, %(machines)s
WHERE EXISTS (SELECT FROM digests_issue WHERE id = %(issue)s)
ON CONFLICT (issue_id, hour, url) DO UPDATE
    SET people = stored.people + EXCLUDED.people, machines = stored.machines + EXCLUDED.machines
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A counted link, read from its token."""

    issue_id: int
    url: str


def counted(html: str, *, issue_id: int) -> str:
    """The HTML of a mail with counted links in place of those to stories and to other sites.

    Links with a slot, which are a reader's own, and links to our other pages stay as they are.
    """

    def replace(match: re.Match[str]) -> str:
        url = markup.unescape(match[2])
        return (
            f"{match[1]}{markup.escape(address(issue_id=issue_id, url=url))}{match[3]}"
            if _is_counted(url)
            else match[0]
        )

    return HREF.sub(replace, html)


def address(*, issue_id: int, url: str) -> str:
    """The counted link of this issue to `url`."""
    number = issue_id.to_bytes(max(1, (issue_id.bit_length() + 7) // 8), "big")
    signature = _signature(issue_id, url, settings.SECRET_KEY)
    token = base64.urlsafe_b64encode(signature + number).rstrip(b"=").decode()
    # No page of a language: whatever is spoken at this moment is not in the address.
    return f"{settings.SITE_URL}/l/{token}/?to={quote(_short(url), safe='/:')}"


def read(*, token: str, to: str) -> Link | None:
    """The link, if it is one of ours."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    issue_id, url = int.from_bytes(raw[SIGNATURE_BYTES:], "big"), _whole(to)
    if not 0 < issue_id < 2**63 or len(url) > LONGEST_URL:
        return None
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    signed = any(hmac.compare_digest(raw[:SIGNATURE_BYTES], _signature(issue_id, url, key)) for key in keys)
    return Link(issue_id, url) if signed else None


def own_page(*, to: str) -> str | None:
    """A page of this site, for which no signature is needed; None for any other address."""
    is_path = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable()
    return _whole(to) if is_path else None


def note(*, visit: Visit) -> None:
    """Remember a visit for some seconds; returns at once, whatever is away."""
    with _lock:
        if len(_waiting) < MOST:
            _waiting.append(visit)
    _start()


def write(*, now: float | None = None) -> int:
    """Write the visits whose window is over by `now` (seconds, monotonic; None: all); return how many counted.

    While the database is away they wait in memory, and nobody else waits for them.
    """
    due = _take(now)
    counts = Counter[tuple[int, datetime, str, bool]]()
    for visit, is_machine in click_rules.counted(due):
        counts[(visit.issue_id, _hour_of(visit), visit.url, is_machine)] += 1
    try:
        _add(counts)
    except (DatabaseError, InterfaceError) as error:
        log.warning("%s visits of links could not be written: %s", len(due), type(error).__name__)
        with _lock:
            _waiting[:0] = due[: MOST - len(_waiting)]
        return 0
    return counts.total()


_lock = threading.Lock()
_waiting: list[Visit] = []
_thread: list[threading.Thread] = []


def _start() -> None:
    """One thread for each process, from the first visit on."""
    with _lock:
        if _thread and _thread[0].is_alive():
            return
        _thread[:] = [threading.Thread(target=_write_on, name="clicks", daemon=True)]
        _thread[0].start()
        atexit.register(write)


def _write_on() -> None:
    # An event that nobody sets, rather than sleep: only this thread waits on it.
    while not threading.Event().wait(SECONDS):
        try:
            write(now=time.monotonic())
        except Exception:
            log.exception("visits of links could not be written")
        finally:
            connection.close()


def _take(now: float | None) -> list[Visit]:
    """Take out the groups of which nothing more can come: the last visit of a network is longer ago than a window.

    And those that have waited long enough, whatever still comes.
    """
    with _lock:
        first: dict[tuple[int, str], float] = {}
        latest: dict[tuple[int, str], float] = {}
        for visit in _waiting:
            group = (visit.issue_id, visit.network)
            first.setdefault(group, visit.at)
            latest[group] = visit.at
        due, still = list[Visit](), list[Visit]()
        for visit in _waiting:
            group = (visit.issue_id, visit.network)
            is_due = now is None or now - latest[group] > click_rules.WINDOW or now - first[group] > LONGEST_WAIT
            (due if is_due else still).append(visit)
        _waiting[:] = still
    return due


def _add(counts: Counter[tuple[int, datetime, str, bool]]) -> None:
    rows: dict[tuple[int, datetime, str], list[int]] = {}
    for (issue_id, hour, url, is_machine), number in counts.items():
        rows.setdefault((issue_id, hour, url), [0, 0])[is_machine] += number
    # In one order, so that two processes never wait for each other.
    values: list[dict[str, Any]] = [
        {"issue": issue_id, "hour": hour, "url": url, "people": people, "machines": machines}
        for (issue_id, hour, url), (people, machines) in sorted(rows.items())
    ]
    if rows:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(ADD, values)


def _hour_of(visit: Visit) -> datetime:
    """The hour of the clock in which it happened: the visit knows how long ago that is."""
    moment = datetime.fromtimestamp(time.time() - (time.monotonic() - visit.at), UTC)
    return moment.replace(minute=0, second=0, microsecond=0)


def _is_counted(url: str) -> bool:
    if "%%" in url or len(url) > LONGEST_URL:
        return False
    parts, own = urlsplit(url), urlsplit(settings.SITE_URL)
    return STORY.match(parts.path) is not None if parts.netloc == own.netloc else bool(parts.netloc)


def _short(url: str) -> str:
    """Without our own host, which every mail would repeat for each link."""
    own = f"{settings.SITE_URL}/"
    return url[len(own) - 1 :] if url.startswith(own) else url


def _whole(to: str) -> str:
    return f"{settings.SITE_URL}{to}" if to.startswith("/") else to


def _signature(issue_id: int, url: str, key: str) -> bytes:
    return salted_hmac(SALT, f"{issue_id}\n{url}", secret=key, algorithm="sha256").digest()[:SIGNATURE_BYTES]
