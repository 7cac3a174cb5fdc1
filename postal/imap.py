"""A mailbox over IMAP (RFC 3501): what is ours is deleted, everything else is flagged and left to people."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import ClassVar, Final

from imapclient import IMAPClient, SocketTimeout, exceptions

from postal import config
from postal.notifications import notices

# The greeting included, however slowly it comes.
CONNECT_SECONDS: Final = 10.0
COMMAND_SECONDS: Final = 60.0
# A server that takes no keywords of ours (Exchange) has to mark such mail as read.
KEYWORD: Final = b"NewsroomSeen"
# How many mails are asked about in one search, and expunged by one command (RFC 7162 4: lines of 8192 bytes).
SEARCHED_AT_ONCE: Final = 5_000
EXPUNGED_AT_ONCE: Final = 100
LARGEST_UID: Final = 2**32 - 1
# A server that never ends its greeting keeps one thread of a process, and no more.
CONNECTING: Final = "connects to the mailbox"
_connecting = threading.Semaphore(1)


class ImapBox:
    """One mailbox, for one pass. Whatever the server does, methods raise one of FAULTS or OSError."""

    # IMAPClient's parser is recursive, and trusts the server to send what the protocol says.
    FAULTS: ClassVar[tuple[type[Exception], ...]] = (
        exceptions.IMAPClientError, EOFError, ValueError, LookupError, TypeError, RecursionError,
    )  # fmt: skip

    def __init__(self, account: config.Mailbox, tls: ssl.SSLContext) -> None:
        self._account, self._tls = account, tls
        self._client: IMAPClient | None = None
        self._deleted: list[int] = []

    @property
    def client(self) -> IMAPClient:
        """The connection. TimeoutError if there is none yet."""
        if self._client is None:
            raise TimeoutError
        return self._client

    def open(self) -> None:
        """Connect, log in and select. Raises PermissionError, FileNotFoundError, or as the class says."""
        self._client = _connected(self._account, self._tls)
        if self._account.tls == "starttls":
            self.client.starttls(self._tls)
        self._log_in(self._account.username, self._account.password)
        self._select(self._account.folder)

    def _log_in(self, username: str, password: str) -> None:
        try:
            if self.client.has_capability("AUTH=PLAIN"):
                self.client.plain_login(username, password)
            else:
                self.client.login(username, password)
        except exceptions.LoginError as error:
            # A connection that broke is no wrong password.
            if isinstance(error.__context__, exceptions.IMAPClientAbortError):
                raise error.__context__ from None
            raise PermissionError from None

    def _select(self, folder: str) -> None:
        try:
            selected = self.client.select_folder(folder)
        except (exceptions.IMAPClientAbortError, exceptions.IMAPClientReadOnlyError):
            raise
        except exceptions.IMAPClientError:
            raise FileNotFoundError from None
        self._count = int(selected[b"EXISTS"])
        has_keywords = b"\\*" in selected.get(b"PERMANENTFLAGS", ())
        self._aside, self._unseen = (KEYWORD, [b"UNKEYWORD", KEYWORD]) if has_keywords else (b"\\Seen", [b"UNSEEN"])

    def mails(self, limit: int) -> Iterator[tuple[int, bytes]]:
        """Each mail that carries no mark of ours; at most the first 256 KB of it, and without marking it read."""
        for uid in self._waiting(limit):
            fetched = self.client.fetch([uid], [f"BODY.PEEK[]<0.{notices.LOOKED_AT}>"])
            raw = fetched.get(uid, {}).get(b"BODY[]<0>")
            # Somebody else may have deleted it meanwhile.
            if isinstance(raw, bytes):
                yield uid, raw[: notices.LOOKED_AT]

    def _waiting(self, limit: int) -> list[int]:
        uids: list[int] = []
        for first in range(1, self._count + 1, SEARCHED_AT_ONCE):
            window = f"{first}:{min(first + SEARCHED_AT_ONCE - 1, self._count)}".encode()
            uids += self.client.search([window, b"UNDELETED", *self._unseen])
            if len(uids) >= limit:
                break
        # They go into the next command.
        return [uid for uid in uids[:limit] if 0 < uid <= LARGEST_UID]

    def dispose(self, uid: int, *, is_done: bool) -> None:
        """What is done is deleted when the box is closed; what is nothing of ours gets our mark."""
        self.client.add_flags([uid], [b"\\Deleted" if is_done else self._aside], silent=True)
        if is_done:
            self._deleted.append(uid)

    def close(self) -> None:
        """Expunge what was deleted here and log out; with UIDPLUS (RFC 4315) nothing that others deleted."""
        if self._deleted and self.client.has_capability("UIDPLUS"):
            for start in range(0, len(self._deleted), EXPUNGED_AT_ONCE):
                self.client.uid_expunge(self._deleted[start : start + EXPUNGED_AT_ONCE])
        elif self._deleted:
            self.client.expunge()
        self.client.logout()

    def abort(self) -> None:
        """Cut the connection, from any thread. Never raises."""
        with contextlib.suppress(OSError, AttributeError):
            self.client.socket().shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close the connection, whatever state it is in. Never raises."""
        with contextlib.suppress(OSError, AttributeError):
            self.client.shutdown()


def _connected(account: config.Mailbox, tls: ssl.SSLContext) -> IMAPClient:
    """A client that has read the greeting, within CONNECT_SECONDS; otherwise TimeoutError, or as IMAPClient says.

    IMAPClient reads the greeting as it is created, and gives away no socket before. A thread waits for it,
    or a server that sends a byte now and then would hold the pass for ever.
    """
    if not _connecting.acquire(blocking=False):
        raise TimeoutError
    connected: Future[IMAPClient] = Future()

    def connect() -> None:
        try:
            client = IMAPClient(
                account.host,
                account.port,
                ssl=account.tls == "implicit",
                ssl_context=tls,
                timeout=SocketTimeout(CONNECT_SECONDS, COMMAND_SECONDS),
            )
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            connected.set_exception(error)
        else:
            connected.set_result(client)
        finally:
            _connecting.release()

    threading.Thread(target=connect, name=CONNECTING, daemon=True).start()
    try:
        return connected.result(CONNECT_SECONDS)
    except TimeoutError:
        connected.add_done_callback(_close)
        raise


def _close(connected: Future[IMAPClient]) -> None:
    """Close a connection that came too late."""
    if connected.exception() is None:
        with contextlib.suppress(OSError):
            connected.result().shutdown()
