"""Opening an SMTP session: connect, greeting, EHLO, STARTTLS, AUTH. Nothing of a copy leaves here."""

import base64
import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import Self

from postal import config, replies
from postal.replies import Reply
from postal.transports import wire
from postal.transports.base import Phase


class SessionFailed(Exception):
    """No session came about. The copies that waited for it are deferred; none was handed over."""

    def __init__(self, reason: str, *, phase: Phase = Phase.SESSION, code: str = "", about_us: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.phase = phase
        self.code = code
        self.about_us = about_us


@dataclass(frozen=True, slots=True)
class Server:
    """Where and how to connect. `tls` is none, starttls or implicit; certificates are verified."""

    host: str
    port: int
    username: str
    password: str
    tls: str
    connect_seconds: float
    command_seconds: float

    @classmethod
    def read(cls, smtp: config.MailServer, timeouts: config.Timeouts) -> Self:
        """From settings.SMTP and settings.SENDING.timeouts."""
        return cls(
            host=smtp.host,
            port=smtp.port,
            username=smtp.username,
            password=smtp.password,
            tls=smtp.tls,
            connect_seconds=timeouts.connect_seconds,
            command_seconds=timeouts.command_seconds,
        )

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port})"  # never the password


@dataclass(slots=True)
class Session:
    """An open session: its non-blocking socket and what the server announced."""

    sock: socket.socket
    extensions: dict[str, str]


def start(server: Server) -> Session:
    """Open a session, blocking for at most the timeouts. Raises `SessionFailed`."""
    sock = _connect(server)
    try:
        opening = _Opening(server, sock)
        opening.run()
    except (OSError, wire.ProtocolBroken) as error:
        sock.close()
        opening_failed = "The certificate of the mail server could not be verified."
        if isinstance(error, ssl.SSLCertVerificationError):
            raise SessionFailed(opening_failed, about_us=True) from None
        raise SessionFailed("The mail server ended the session before it began.") from None
    except SessionFailed:
        sock.close()
        raise
    opening.sock.setblocking(False)
    return Session(opening.sock, opening.extensions)


def _connect(server: Server) -> socket.socket:
    try:
        sock = socket.create_connection((server.host, server.port), timeout=server.connect_seconds)
    except OSError as error:
        reason = f"The mail server cannot be reached ({error.strerror or type(error).__name__})."
        raise SessionFailed(replies.clean(reason), phase=Phase.CONNECT) from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class _Opening:
    """One attempt at opening a session on a connected, blocking socket."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.parser = wire.ReplyParser()
        self.extensions: dict[str, str] = {}

    def run(self) -> None:
        self.sock.settimeout(self.server.command_seconds)
        if self.server.tls == "implicit":
            self._encrypt()
        self._expect(self._read(), 220, "greeting")
        self._hello()
        if self.server.tls == "starttls":
            self._start_tls()
        if self.server.username:
            self._authenticate()

    def _start_tls(self) -> None:
        if "STARTTLS" not in self.extensions:
            raise SessionFailed("The mail server does not offer STARTTLS, which EMAIL_URL asks for.", about_us=True)
        self._expect(self._ask("STARTTLS"), 220, "STARTTLS")
        if not self.parser.is_empty:
            # Bytes in front of the encryption were slipped in (CVE-2011-0411).
            raise SessionFailed("The mail server sent data before encryption began.", about_us=True)
        self._encrypt()
        self._hello()

    def _encrypt(self) -> None:
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.server.host)

    def _hello(self) -> None:
        reply = self._ask(f"EHLO {self._name()}")
        self.extensions = {}
        if reply.code in {500, 502, 504}:
            reply = self._ask(f"HELO {self._name()}")
        self._expect(reply, 250, "EHLO")
        for line in reply.text.split("\n")[1:]:
            keyword, _, parameters = line.replace("=", " ", 1).partition(" ")
            self.extensions[keyword.upper()] = parameters.strip().upper()

    def _name(self) -> str:
        name = socket.gethostname()
        if "." in name and name.isascii() and wire.is_path(f"x@{name}"):
            return name
        address = str(self.sock.getsockname()[0])
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def _authenticate(self) -> None:
        mechanisms = self.extensions.get("AUTH", "").split()
        user, password = self.server.username, self.server.password
        if "PLAIN" in mechanisms:
            reply = self._ask(f"AUTH PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}")
        elif "LOGIN" in mechanisms:
            reply = self._ask("AUTH LOGIN")
            for secret in (user, password):
                if reply.code == 334:  # RFC 4954 4: go on
                    reply = self._ask(_base64(secret))
        else:
            raise SessionFailed("The mail server offers neither AUTH PLAIN nor AUTH LOGIN.", about_us=True)
        self._expect(reply, 235, "AUTH")

    def _ask(self, command: str) -> Reply:
        self.sock.sendall(f"{command}\r\n".encode())
        return self._read()

    def _read(self) -> Reply:
        while True:
            data = self.sock.recv(4096)
            if not data:
                raise ConnectionResetError
            replies_now = self.parser.feed(data)
            if replies_now:
                return replies_now[0]

    def _expect(self, reply: Reply, code: int, step: str) -> None:
        if reply.code == code:
            return
        # A 4xx passes by itself; a 5xx before any copy can only be about us.
        about_us = reply.code // 100 == 5  # RFC 5321 4.2.1
        with contextlib.suppress(OSError):
            self.sock.sendall(b"QUIT\r\n")
        reason = replies.clean(f"The mail server answered {step} with {reply.code} {reply.text}")
        raise SessionFailed(reason, code=reply.label, about_us=about_us)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
