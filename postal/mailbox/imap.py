"""A mailbox over IMAP (RFC 3501): what is ours is deleted, everything else is flagged and left to people."""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from typing import ClassVar, Final

from postal import config
from postal.notifications import notices

CONNECT_SECONDS: Final = 10.0
COMMAND_SECONDS: Final = 60.0
# A server that takes no keywords of ours (Exchange) has to mark such mail as read.
KEYWORD: Final = "NewsroomSeen"
# Asked about at once: the answer must stay below the line that imaplib reads.
_AT_ONCE: Final = 5_000


class _Plain(imaplib.IMAP4):
    """IMAP, perhaps with STARTTLS. The box knows it before it has read a greeting, so that it can cut it off."""

    def __init__(self, box: "ImapBox", where: tuple[str, int]) -> None:
        box.client = self
        super().__init__(*where, timeout=CONNECT_SECONDS)


class _Encrypted(imaplib.IMAP4_SSL):
    """IMAP over TLS; as above."""

    def __init__(self, box: "ImapBox", where: tuple[str, int], tls: ssl.SSLContext) -> None:
        box.client = self
        super().__init__(*where, ssl_context=tls, timeout=CONNECT_SECONDS)


class ImapBox:
    """See `mailbox.Box`."""

    FAULTS: ClassVar[tuple[type[Exception], ...]] = (imaplib.IMAP4.error, EOFError, ValueError, IndexError, TypeError)
    client: imaplib.IMAP4

    def __init__(self, account: config.Mailbox, tls: ssl.SSLContext) -> None:
        self._account, self._tls = account, tls
        self._deleted: list[str] = []

    def open(self) -> None:
        """Connect, log in and select. Raises PermissionError, FileNotFoundError, or as the Box says."""
        where = (self._account.host, self._account.port)
        if self._account.tls == "implicit":
            _Encrypted(self, where, self._tls)
        else:
            _Plain(self, where)
        if self._account.tls == "starttls":
            self.client.starttls(self._tls)
        self._enter(self._account)

    def _enter(self, account: config.Mailbox) -> None:
        self.client.sock.settimeout(COMMAND_SECONDS)
        self._login(account.username, account.password)
        folder = account.folder.replace("\\", "\\\\").replace('"', '\\"')
        answer, count = self.client.select(f'"{folder}"')
        if answer != "OK":
            raise FileNotFoundError
        self._count = int(count[0] or 0)
        _, permanent = self.client.response("PERMANENTFLAGS")
        may_name_flags = any(rb"\*" in (one or b"") for one in permanent or ())
        self._aside, self._unseen = (KEYWORD, f"UNKEYWORD {KEYWORD}") if may_name_flags else (r"(\Seen)", "UNSEEN")

    def _login(self, username: str, password: str) -> None:
        try:
            if "AUTH=PLAIN" in self.client.capabilities:
                self.client.authenticate("PLAIN", lambda _: f"\0{username}\0{password}".encode())
            else:
                self.client.login(username, password)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise PermissionError from None

    def mails(self, limit: int) -> Iterator[tuple[str, bytes]]:
        """Each mail that carries no mark of ours; at most the first 256 KB of it, and without marking it read."""
        for uid in self._waiting(limit):
            _, data = self.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{notices.LOOKED_AT}>)")
            raw = next((part[1] for part in data if isinstance(part, tuple)), None)
            # Somebody else may have deleted it meanwhile.
            if raw is not None:
                yield uid, raw

    def _waiting(self, limit: int) -> list[str]:
        found: list[str] = []
        for first in range(1, self._count + 1, _AT_ONCE):
            window = f"{first}:{min(first + _AT_ONCE - 1, self._count)}"
            _, data = self.client.uid("SEARCH", f"{window} UNDELETED {self._unseen}")
            # They go into the next command, so nothing but numbers may be among them.
            found += [uid for uid in (data[0] or b"").decode("ascii").split() if re.fullmatch(r"\d+", uid)]
            if len(found) >= limit:
                break
        return found[:limit]

    def dispose(self, name: str, *, is_done: bool) -> None:
        """What is done is deleted when the box is closed; what is nothing of ours gets our mark."""
        self.client.uid("STORE", name, "+FLAGS.SILENT", r"(\Deleted)" if is_done else self._aside)
        if is_done:
            self._deleted.append(name)

    def close(self) -> None:
        """Expunge what was deleted here and log out; with UIDPLUS (RFC 4315) nothing that others deleted."""
        if self._deleted and "UIDPLUS" in self.client.capabilities:
            for start in range(0, len(self._deleted), 100):
                self.client.uid("EXPUNGE", ",".join(self._deleted[start : start + 100]))
        elif self._deleted:
            self.client.expunge()
        self.client.logout()

    def abort(self) -> None:
        """See `mailbox.Box.abort`."""
        with contextlib.suppress(OSError, AttributeError):
            self.client.sock.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """See `mailbox.Box.release`."""
        with contextlib.suppress(OSError, AttributeError):
            self.client.shutdown()
