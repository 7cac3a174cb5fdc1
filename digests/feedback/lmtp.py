"""A door for a mail server that hands returned mail over by itself: LMTP (RFC 2033) on a port or a Unix socket.

Written here because what it needs is little: one answer per recipient after DATA, given only when
the event is committed, and a database call in the middle. It speaks to a mail server that is ours;
whoever else connects can do no more than hand over a notice, which has to name a copy like any other.
"""

import logging
import re
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import Error, close_old_connections, connections
from django.utils import timezone

from digests.feedback import ingestion
from postal import return_paths
from postal.notifications import notices

log = logging.getLogger(__name__)

SESSION_SECONDS: Final = 300  # RFC 5321 4.5.3.2.7: a server waits 5 minutes for the next command
SESSIONS: Final = 20
RECIPIENTS: Final = 100
LARGEST: Final = 50 * 1024 * 1024
_LINE: Final = 64 * 1024
_PATH = re.compile(rb"(?:FROM|TO):\s*<([^<>]*)>", re.IGNORECASE)


class _Session(socketserver.StreamRequestHandler):
    """One connection, from greeting to QUIT, time-out or broken line."""

    timeout = SESSION_SECONDS

    def handle(self) -> None:
        self._greeted, self._sender, self._recipients = False, False, list[str]()
        try:
            self._say("220 newsroom LMTP")
            while self._command(self._line()):
                pass
        except OSError:
            log.info("an LMTP session broke off")
        finally:
            connections.close_all()

    def _line(self) -> bytes:
        """One line; the rest of one that is too long is dropped."""
        line = rest = self.rfile.readline(_LINE)
        while rest and not rest.endswith(b"\n"):
            rest = self.rfile.readline(_LINE)
        return line

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode("ascii"))

    def _command(self, line: bytes) -> bool:
        """Answer one command; False when the session is over."""
        if not line:
            return False
        verb = line[:4].upper().strip()
        if verb == b"QUIT":
            self._say("221 2.0.0 Bye")
            return False
        answer = self._ANSWERS.get(verb)
        if answer is None:
            self._say("500 5.5.2 Unknown command")
        else:
            answer(self, line)
        return True

    def _lhlo(self, line: bytes) -> None:
        self._greeted = True
        self._forget(line, say=False)
        self._say("250-newsroom", "250-PIPELINING", "250-8BITMIME", "250-ENHANCEDSTATUSCODES", "250-SMTPUTF8")
        self._say(f"250 SIZE {LARGEST}")

    def _mail(self, line: bytes) -> None:
        if not self._greeted or self._sender:
            self._say("503 5.5.1 LHLO first, then one MAIL")
        elif _PATH.search(line) is None:
            self._say("501 5.5.4 Syntax: MAIL FROM:<address>")
        else:
            self._sender = True
            self._say("250 2.1.0 Ok")

    def _rcpt(self, line: bytes) -> None:
        path = _PATH.search(line)
        if not self._sender or path is None:
            self._say("503 5.5.1 MAIL first" if path else "501 5.5.4 Syntax: RCPT TO:<address>")
        elif len(self._recipients) >= RECIPIENTS:
            self._say("452 4.5.3 Too many recipients")
        elif not is_ours(address := path[1].decode("utf-8", "replace")):
            self._say("550 5.1.1 No return path of ours")
        else:
            self._recipients.append(address)
            self._say("250 2.1.5 Ok")

    def _data(self, line: bytes) -> None:
        if not self._recipients:
            self._say("503 5.5.1 No valid recipients")
            return
        self._say("354 End with a dot on a line of its own")
        raw, octets = self._read_mail()
        for address in self._recipients:
            # RFC 2033 4.2: one answer for each recipient, in their order.
            self._say(_deliver(raw, address) if octets <= LARGEST else "552 5.3.4 Too large")
        self._forget(line, say=False)

    def _read_mail(self) -> tuple[bytes, int]:
        """The beginning of the mail, without dot-stuffing, and the octets of all of it."""
        kept, octets, at_start = bytearray(), 0, True
        while (line := self.rfile.readline(_LINE)) not in (b".\r\n", b".\n") or not at_start:
            if not line:
                raise ConnectionResetError
            octets += len(line)
            if len(kept) < notices.LOOKED_AT:
                kept += line[1:] if at_start and line.startswith(b".") else line
            at_start = line.endswith(b"\n")
        return bytes(kept), octets

    def _forget(self, line: bytes, *, say: bool = True) -> None:
        self._sender, self._recipients = False, []
        if say:
            self._say("250 2.0.0 Ok")

    def _noop(self, line: bytes) -> None:
        self._say("250 2.0.0 Ok")

    def _vrfy(self, line: bytes) -> None:
        self._say("252 2.1.5 Send it and see")

    _ANSWERS: Final[dict[bytes, Callable[["_Session", bytes], None]]] = {
        b"LHLO": _lhlo,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
        b"RSET": _forget,
        b"NOOP": _noop,
        b"VRFY": _vrfy,
    }


def is_ours(address: str) -> bool:
    """Whether mail to this address is taken: a genuine return path, or another name at RETURN_DOMAIN."""
    local, _, domain = address.rpartition("@")
    if not local or domain.lower().removesuffix(".") != settings.RETURN_DOMAIN:
        return False
    if not local.lower().startswith(return_paths.PREFIX):
        return True
    return any(return_paths.read(token) for token in return_paths.tokens_in(local))


def _deliver(raw: bytes, address: str) -> str:
    """Act on the mail; the answer that may be given now. 451 keeps it in the other server's queue."""
    close_old_connections()
    try:
        ingestion.take(raw=raw, envelope_to=address, now=timezone.now())
    except Error:
        log.warning("a returned mail waits for the database")
        return "451 4.3.0 Not now, please keep it"
    except Exception:
        log.exception("a returned mail could not be acted on")
        return "451 4.3.0 Not now, please keep it"
    return "250 2.0.0 Taken"


class _Busy:
    """At most SESSIONS at once; one more hears so and is closed."""

    daemon_threads = True
    allow_reuse_address = True
    # A stop does not wait for a client that says nothing.
    block_on_close = False

    def __init__(self, where: str | tuple[str, int]) -> None:
        self._places = threading.BoundedSemaphore(SESSIONS)
        super().__init__(where, _Session)  # type: ignore[call-arg]  # the class that comes after this one

    def process_request_thread(self, request: object, client_address: object) -> None:
        """In a thread of its own: serve the connection if there is room."""
        if not self._places.acquire(blocking=False):
            request.sendall(b"421 4.3.2 Too many sessions\r\n")  # type: ignore[attr-defined]  # a socket, which the stubs call a request
            self.shutdown_request(request)  # type: ignore[attr-defined]  # of the class that comes after this one
            return
        try:
            super().process_request_thread(request, client_address)  # type: ignore[misc]  # as above
        finally:
            self._places.release()


class _TcpDoor(_Busy, socketserver.ThreadingTCPServer):
    """On a port."""


class _UnixDoor(_Busy, socketserver.ThreadingUnixStreamServer):
    """On a socket file, which only this user and group may open."""


def door(listen: str) -> socketserver.ThreadingTCPServer | socketserver.ThreadingUnixStreamServer:
    """A server on `host:port`, or on the Unix socket at a path that begins with `/`; the caller serves and closes it.

    On failure: OSError, and ValueError for a text that is neither.
    """
    if listen.startswith("/"):
        path = Path(listen)
        if path.is_socket():
            path.unlink()  # of a door that was killed
        server = _UnixDoor(listen)
        path.chmod(0o660)
        return server
    host, _, port = listen.rpartition(":")
    return _TcpDoor((host or "127.0.0.1", int(port)))
