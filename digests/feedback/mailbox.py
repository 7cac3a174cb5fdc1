"""Read the mailbox of returned mail: fetch a mail, process it, and only then delete or flag it.

If a pass dies, its mails are read again, which is harmless: an event is stored once. No mail can stop the next
one. If the server stops answering, the pass ends, and another one starts in the next minute.
"""

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import InterfaceError, OperationalError

from core import locks
from digests import heartbeat
from digests.feedback import ingestion
from postal import config
from postal.imap import ImapBox

log = logging.getLogger(__name__)

# Shorter than the minute between two ticks, and than a task's time limit.
PASS_SECONDS: Final = 50.0
MAILS_PER_PASS: Final = 500
# One process at a time, over all hosts: two would do the same work.
MAILBOX_LOCK: Final = "read the mailbox"
_FAULTS: Final[tuple[type[Exception], ...]] = (*ImapBox.FAULTS, OSError)


class MailboxAway(Exception):
    """The mailbox cannot be read. The message is a sentence without credentials."""


@dataclass(slots=True)
class Pass:
    """The result of one pass: the number of mails per outcome."""

    events: int = 0
    repeated: int = 0
    left: int = 0
    replied: int = 0
    ignored: int = 0
    busy: bool = False  # another process is reading

    def count(self, arrival: ingestion.Arrival) -> None:
        name = {"RECORDED": "events"}.get(arrival.name, arrival.name.lower())
        setattr(self, name, getattr(self, name) + 1)


def read_configured(*, now: datetime) -> Pass:
    """The step of the tick: one pass if RETURNS_URL names a mailbox. An unreachable mailbox is logged, not raised."""
    if settings.RETURNS is None:
        return Pass()
    try:
        return read(account=settings.RETURNS, now=now)
    except MailboxAway as error:
        log.warning("%s", error)
        return Pass()


def read(*, account: config.Mailbox, now: datetime, seconds: float = PASS_SECONDS, limit: int = MAILS_PER_PASS) -> Pass:
    """Process at most `limit` mails, for at most `seconds`.

    After: every processed mail is deleted, or flagged if it is not ours. On failure: MailboxAway; mails processed
    so far stay processed. If the database goes away its error is raised, and the current mail stays unread. A
    completed pass writes a heartbeat; a pass that finds another one at work does not.
    """
    result = Pass()
    with locks.advisory_lock(MAILBOX_LOCK) as alone:
        result.busy = not alone
        if alone:
            with _opened(account, seconds) as box:
                _read_all(box, result, limit, now)
            heartbeat.beat(work="returns", now=now)
    return result


def _read_all(box: ImapBox, result: Pass, limit: int, now: datetime) -> None:
    for uid, raw in box.mails(limit):
        try:
            # It has committed when it returns.
            arrival = ingestion.take(raw=raw, now=now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("a returned mail could not be processed; it stays in the mailbox")
            continue
        result.count(arrival)
        box.dispose(uid, is_done=arrival.is_done)


@contextlib.contextmanager
def _opened(account: config.Mailbox, seconds: float) -> Iterator[ImapBox]:
    """An open mailbox with a deadline: a server that sends byte by byte never triggers a socket timeout."""
    box = ImapBox(account, ssl.create_default_context())
    watch = threading.Timer(seconds, box.abort)
    watch.daemon = True
    watch.start()
    try:
        box.open()
        yield box
        box.close()
    except _FAULTS as error:
        raise MailboxAway(_sentence(error)) from None
    finally:
        watch.cancel()
        box.release()


def _sentence(error: BaseException) -> str:
    """A sentence about the error, without the server's own words: they may repeat the user name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The certificate of the mailbox's server is not valid for the name in RETURNS_URL."
    if isinstance(error, socket.gaierror):
        return "The host in RETURNS_URL is not known."
    if isinstance(error, PermissionError):
        return "The mailbox's server refuses the user and password in RETURNS_URL."
    if isinstance(error, FileNotFoundError):
        return "There is no such folder in the mailbox that RETURNS_URL names."
    return f"The mailbox for returned mail could not be read to its end ({type(error).__name__})."
