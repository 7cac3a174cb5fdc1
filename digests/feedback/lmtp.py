"""An LMTP server (RFC 2033) on a port or a Unix socket, to which our mail server delivers returned mail.

It is written here because it needs little: one reply per recipient after DATA, sent only after the event is
committed. Its client is our own mail server. Anyone else who connects can only deliver a notification, which
must name a copy like any other.
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
    """One connection, from greeting to QUIT, timeout or disconnect."""

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
        """One line. The rest of a line that is too long is dropped."""
        line = rest = self.rfile.readline(_LINE)
        while rest and not rest.endswith(b"\n"):
            rest = self.rfile.readline(_LINE)
        return line

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode("ascii"))

    def _command(self, line: bytes) -> bool:
        """Reply to one command; False if the session is over."""
        if not line:
            return False
        verb = line[:4].upper().strip()
        if verb == b"QUIT":
            self._say("221 2.0.0 Bye")
            return False
        handler = self._HANDLERS.get(verb)
        if handler is None:
            self._say("500 5.5.2 Unknown command")
        else:
            handler(self, line)
        return True

    def _lhlo(self, line: bytes) -> None:
        self._greeted = True
        self._reset(line, say=False)
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
        raw, size = self._read_mail()
        for address in self._recipients:
            # RFC 2033 4.2: one reply per recipient, in their order.
            self._say(_deliver(raw, address) if size <= LARGEST else "552 5.3.4 Too large")
        self._reset(line, say=False)

    def _read_mail(self) -> tuple[bytes, int]:
        """The beginning of the mail, without dot-stuffing, and its size in bytes."""
        beginning, size, at_start = bytearray(), 0, True
        while (line := self.rfile.readline(_LINE)) not in (b".\r\n", b".\n") or not at_start:
            if not line:
                raise ConnectionResetError
            size += len(line)
            if len(beginning) < notices.LOOKED_AT:
                beginning += line[1:] if at_start and line.startswith(b".") else line
            at_start = line.endswith(b"\n")
        return bytes(beginning), size

    def _reset(self, line: bytes, *, say: bool = True) -> None:
        self._sender, self._recipients = False, []
        if say:
            self._say("250 2.0.0 Ok")

    def _noop(self, line: bytes) -> None:
        self._say("250 2.0.0 Ok")

    def _vrfy(self, line: bytes) -> None:
        self._say("252 2.1.5 Send it and see")

    _HANDLERS: Final[dict[bytes, Callable[["_Session", bytes], None]]] = {
        b"LHLO": _lhlo,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
        b"RSET": _reset,
        b"NOOP": _noop,
        b"VRFY": _vrfy,
    }


def is_ours(address: str) -> bool:
    """Whether we accept mail to this address: a genuine return path, or another name at RETURN_DOMAIN."""
    local, _, domain = address.rpartition("@")
    if not local or domain.lower().removesuffix(".") != settings.RETURN_DOMAIN:
        return False
    if not local.lower().startswith(return_paths.PREFIX):
        return True
    return any(return_paths.read(token) for token in return_paths.tokens_in(local))


def _deliver(raw: bytes, address: str) -> str:
    """Process the mail and return the reply. With 451 it remains in the client's queue."""
    close_old_connections()
    try:
        ingestion.take(raw=raw, envelope_to=address, now=timezone.now())
    except Error:
        log.warning("a returned mail waits for the database")
        return "451 4.3.0 Not now, please keep it"
    except Exception:
        log.exception("a returned mail could not be processed")
        return "451 4.3.0 Not now, please keep it"
    return "250 2.0.0 Taken"


class _Limited:
    """At most SESSIONS at a time. A further connection gets a 421 reply and is closed."""

    daemon_threads = True
    allow_reuse_address = True
    # Shutdown does not wait for an idle client.
    block_on_close = False

    def __init__(self, where: str | tuple[str, int]) -> None:
        self._slots = threading.BoundedSemaphore(SESSIONS)
        super().__init__(where, _Session)  # type: ignore[call-arg]  # of the next class in the MRO

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve the connection if a slot is free. Runs in its own thread."""
        if not self._slots.acquire(blocking=False):
            request.sendall(b"421 4.3.2 Too many sessions\r\n")  # type: ignore[attr-defined]  # a socket, which the stubs call a request
            self.shutdown_request(request)  # type: ignore[attr-defined]  # of the next class in the MRO
            return
        try:
            super().process_request_thread(request, client_address)  # type: ignore[misc]  # as above
        finally:
            self._slots.release()


class _TcpServer(_Limited, socketserver.ThreadingTCPServer):
    """On a port."""


class _UnixServer(_Limited, socketserver.ThreadingUnixStreamServer):
    """On a socket file that only this user and group may open."""


def server(listen: str) -> socketserver.ThreadingTCPServer | socketserver.ThreadingUnixStreamServer:
    """A server on `host:port`, or on a Unix socket if `listen` begins with `/`. The caller serves and closes it.

    On failure: OSError, or ValueError if `listen` is neither.
    """
    if listen.startswith("/"):
        path = Path(listen)
        if path.is_socket():
            path.unlink()  # left by a server that was killed
        unix_server = _UnixServer(listen)
        path.chmod(0o660)
        return unix_server
    host, _, port = listen.rpartition(":")
    return _TcpServer((host or "127.0.0.1", int(port)))
