"""One pass over the mailbox in which returned mail waits: fetch, act, and only then delete or flag.

A pass that dies anywhere leaves mails that are read again, which changes nothing: an event is stored
once. One mail never stops the next, whatever it holds; a server that stops answering ends the pass,
and the next minute begins another.
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

# Fits into the minute of the clock, and well into a task's time limit.
PASS_SECONDS: Final = 50.0
MAILS_PER_PASS: Final = 500
# One process at a time, over all hosts: two would do each other's work.
MAILBOX_LOCK: Final = "read the mailbox"
_FAULTS: Final[tuple[type[Exception], ...]] = (*ImapBox.FAULTS, OSError)


class MailboxAway(Exception):
    """The mailbox cannot be read; the message is a sentence that holds no credentials."""


@dataclass(slots=True)
class Pass:
    """What one pass did: so many mails of each fate."""

    events: int = 0
    repeated: int = 0
    left: int = 0
    ignored: int = 0
    busy: bool = False  # somebody else is reading

    def count(self, arrival: ingestion.Arrival) -> None:
        name = {"RECORDED": "events"}.get(arrival.name, arrival.name.lower())
        setattr(self, name, getattr(self, name) + 1)


def read_configured(*, now: datetime) -> Pass:
    """The clock's step: a pass if RETURNS_URL names a mailbox. A mailbox that is away is logged, not raised."""
    if settings.RETURNS is None:
        return Pass()
    try:
        return read(account=settings.RETURNS, now=now)
    except MailboxAway as error:
        log.warning("%s", error)
        return Pass()


def read(*, account: config.Mailbox, now: datetime, seconds: float = PASS_SECONDS, limit: int = MAILS_PER_PASS) -> Pass:
    """Read and act on at most `limit` mails, for at most `seconds`.

    After: every mail that was acted on is deleted,
    or flagged where it was nothing of ours. On failure: MailboxAway; what was acted on stays acted on.
    A database that goes away raises its own error, and the mail at hand stays unread. That it was done is noted
    (`heartbeat`), but not by a reader who finds another at work.
    """
    found = Pass()
    with locks.advisory_lock(MAILBOX_LOCK) as alone:
        found.busy = not alone
        if alone:
            with _opened(account, seconds) as box:
                _read_all(box, found, limit, now)
            heartbeat.beat(work="returns", now=now)
    return found


def _read_all(box: ImapBox, found: Pass, limit: int, now: datetime) -> None:
    for uid, raw in box.mails(limit):
        try:
            # Committed when it returns.
            arrival = ingestion.take(raw=raw, now=now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("a returned mail could not be acted on; it stays in the mailbox")
            continue
        found.count(arrival)
        box.dispose(uid, is_done=arrival.is_done)


@contextlib.contextmanager
def _opened(account: config.Mailbox, seconds: float) -> Iterator[ImapBox]:
    """An open mailbox, cut off when its time is over: a server that sends slowly never runs into a timeout."""
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
    """What went wrong, without what the server said: it may repeat the user's name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The certificate of the mailbox's server is not valid for the name in RETURNS_URL."
    if isinstance(error, socket.gaierror):
        return "The host in RETURNS_URL is not known."
    if isinstance(error, PermissionError):
        return "The mailbox's server refuses the user and password in RETURNS_URL."
    if isinstance(error, FileNotFoundError):
        return "There is no such folder in the mailbox that RETURNS_URL names."
    return f"The mailbox for returned mail could not be read to its end ({type(error).__name__})."
