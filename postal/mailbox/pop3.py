"""A mailbox over POP3 (RFC 1939), which knows no flags: everything that was read is deleted."""

import contextlib
import poplib
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from postal import config
from postal.notifications import notices

CONNECT_SECONDS: Final = 10.0
COMMAND_SECONDS: Final = 60.0
# Of a larger mail only the beginning is fetched.
WHOLE: Final = 8 * 1024 * 1024
_LINES: Final = 2_000
_LONGEST_LINE: Final = 64 * 1024

if TYPE_CHECKING:
    _Base = poplib.POP3
else:
    _Base = object


class _Patient(_Base):
    """Goes before poplib's classes, which give up at a line of 2 KB and keep a whole mail in memory."""

    def _getline(self) -> tuple[bytes, int]:
        """One line without its end, and its octets; the rest of a line that is too long is dropped."""
        line = rest = self.file.readline(_LONGEST_LINE)
        while rest and not rest.endswith(b"\n"):
            rest = self.file.readline(_LONGEST_LINE)
        if not rest:
            raise poplib.error_proto("-ERR EOF")
        return line.rstrip(b"\r\n"), len(line)

    def _getlongresp(self) -> tuple[bytes, list[bytes], int]:
        """An answer of several lines; what goes beyond what is looked at is read and dropped."""
        answer: bytes = self._getresp()  # type: ignore[attr-defined]  # poplib's own, which the stubs leave out
        lines: list[bytes] = []
        octets = 0
        line, size = self._getline()
        while line != b".":
            if octets < notices.LOOKED_AT:
                lines.append(line[1:] if line.startswith(b"..") else line)
                octets += size
            line, size = self._getline()
        return answer, lines, octets


class _Plain(_Patient, poplib.POP3):
    """POP3, perhaps with STLS. The box knows it before it has read a greeting, so that it can cut it off."""

    def __init__(self, box: "PopBox", where: tuple[str, int]) -> None:
        box.client = self
        super().__init__(*where, timeout=CONNECT_SECONDS)


class _Encrypted(_Patient, poplib.POP3_SSL):
    """POP3 over TLS; as above."""

    def __init__(self, box: "PopBox", where: tuple[str, int], tls: ssl.SSLContext) -> None:
        box.client = self
        super().__init__(*where, context=tls, timeout=CONNECT_SECONDS)


class PopBox:
    """See `mailbox.Box`. Deletions are made final by `close`; a pass that dies has deleted nothing."""

    FAULTS: ClassVar[tuple[type[Exception], ...]] = (poplib.error_proto, EOFError, ValueError, IndexError)
    client: poplib.POP3

    def __init__(self, account: config.Mailbox, tls: ssl.SSLContext) -> None:
        self._account, self._tls = account, tls

    def open(self) -> None:
        """Connect and log in. Raises PermissionError, or as the Box says."""
        where = (self._account.host, self._account.port)
        if self._account.tls == "implicit":
            _Encrypted(self, where, self._tls)
        else:
            _Plain(self, where)
        if self._account.tls == "starttls":
            self.client.stls(self._tls)
        self.client.sock.settimeout(COMMAND_SECONDS)
        self._login(self._account.username, self._account.password)

    def _login(self, username: str, password: str) -> None:
        self.client.user(username)
        try:
            self.client.pass_(password)
        except poplib.error_proto as error:
            # RFC 2449 8.1.1: another reader holds the mailbox, or it is away; the password may be right.
            if b"[IN-USE]" in error.args[0] or b"[SYS" in error.args[0] or b"[LOGIN-DELAY]" in error.args[0]:
                raise
            raise PermissionError from None

    def mails(self, limit: int) -> Iterator[tuple[str, bytes]]:
        """Each mail, oldest first; at most about the first 256 KB of it."""
        _, sizes, _ = self.client.list()
        for entry in sizes[:limit]:
            number, size = (int(part) for part in entry.split()[:2])
            lines = self._fetch(number, size)
            yield str(number), b"\r\n".join(lines) + b"\r\n"

    def _fetch(self, number: int, size: int) -> list[bytes]:
        if size <= WHOLE:
            return self.client.retr(number)[1]
        try:
            return self.client.top(number, _LINES)[1]
        except poplib.error_proto:
            return []  # no TOP here: a mail as large as this reports nothing anyway

    def dispose(self, name: str, *, is_done: bool) -> None:
        """Mark as deleted, whatever it was: it would be fetched every minute for ever."""
        self.client.dele(int(name))

    def close(self) -> None:
        """QUIT, which makes the deletions final (RFC 1939 6)."""
        self.client.quit()

    def abort(self) -> None:
        """See `mailbox.Box.abort`."""
        with contextlib.suppress(OSError, AttributeError):
            self.client.sock.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """See `mailbox.Box.release`."""
        with contextlib.suppress(OSError, AttributeError):
            self.client.close()
