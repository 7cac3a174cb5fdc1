"""The words of SMTP: reading replies, writing envelopes and bodies. No sockets here."""

import functools
import re
from collections.abc import Sequence

from postal.replies import Reply

# RFC 5321 4.5.3.1.5 allows 512 bytes to a line; real servers send longer ones.
LONGEST_REPLY = 65536
_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
# How a reply of one line begins; looking it up is ten times as fast as the pattern.
_CODES = {b"%d " % code: code for code in range(200, 600)}
_BARE_LINE_END = re.compile(rb"\r\n|\r|\n")
# Printable ASCII without blanks and angle brackets: nothing here can end a command.
_PATH = re.compile(r"[!-;=?-~]+@[!-;=?-~]+").fullmatch


class ProtocolBroken(Exception):
    """The server said something that is not an SMTP reply."""


class ReplyParser:
    """Collects bytes into complete replies; multi-line replies come out as one."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []

    @property
    def is_empty(self) -> bool:
        """True when no byte of an unfinished reply is waiting."""
        return not self._buffer and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that `data` completes. Raises `ProtocolBroken`."""
        *lines, rest = (self._buffer + data).split(b"\n") if self._buffer else data.split(b"\n")
        self._buffer = rest
        if len(rest) > LONGEST_REPLY or len(self._lines) > LONGEST_REPLY // 8:
            raise ProtocolBroken
        replies = []
        for line in lines:
            reply = (None if self._lines else _whole(line)) or self._take(line.rstrip(b"\r"))
            if reply is not None:
                replies.append(reply)
        return replies

    def _take(self, line: bytes) -> Reply | None:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ProtocolBroken
        self._lines.append((match[3] or b"").decode("utf-8", "replace"))
        if match[2] == b"-":
            return None
        reply = Reply(int(match[1]), "\n".join(self._lines))
        self._lines = []
        return reply


@functools.lru_cache(maxsize=128)
def _whole(line: bytes) -> Reply | None:
    """The reply that is this one line. A server says most of its lines over and over."""
    code = _CODES.get(line[:4])
    return None if code is None else Reply(code, line[4:].rstrip(b"\r").decode("utf-8", "replace"))


class Outgoing:
    """Bytes on their way to the kernel, in the pieces in which they were written.

    What is the same for all copies is the same piece: it is never copied, and stays in the processor's cache.
    """

    __slots__ = ("_size", "pieces")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)

    def add(self, pieces: Sequence[bytes], size: int) -> None:
        """Put `size` bytes behind the others."""
        self.pieces += pieces
        self._size += size

    def first(self, count: int) -> bytes:
        """Up to `count` bytes from the beginning."""
        first: list[bytes] = []
        for piece in self.pieces:
            first.append(piece[:count])
            count -= len(first[-1])
            if not count:
                break
        return b"".join(first)

    def drop(self, count: int) -> None:
        """`count` bytes from the beginning are gone."""
        self._size -= count
        if not self._size:
            self.pieces.clear()
            return
        whole = 0
        while count >= len(self.pieces[whole]):
            count -= len(self.pieces[whole])
            whole += 1
        del self.pieces[:whole]
        self.pieces[0] = self.pieces[0][count:]


def is_path(address: str) -> bool:
    """True when `address` can stand between the angle brackets of MAIL or RCPT without SMTPUTF8."""
    return bool(_PATH(address)) and len(address) <= 254  # RFC 5321 4.5.3.1.3 with erratum 1690


def canonical(payload: bytes) -> bytes:
    """The message with CRLF line ends only, and one at its end (RFC 5321 2.3.8)."""
    pairs = payload.count(b"\r\n")
    if pairs != payload.count(b"\n") or pairs != payload.count(b"\r"):
        payload = _BARE_LINE_END.sub(b"\r\n", payload)
    if not payload.endswith(b"\r\n"):
        payload += b"\r\n"
    return payload
