"""A mail server that answers slowly or refuses at random, in a process of its own: just enough SMTP to accept mail."""

from __future__ import annotations

import asyncio
import dataclasses
import multiprocessing
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

DELAY_SECONDS: Final = 0.05
REPLIES: Final = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 Go on\r\n",
    b".": b"250 2.0.0 Ok\r\n",
}
BUSY: Final = b"421 4.7.0 Too busy\r\n"


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """How the server replies: each reply comes after `delay` seconds, counted from the last one if `in_turn`.

    `busy` is the share of messages that get a 421 to one of their commands, which ends the connection.
    A connection that has taken `most` messages is closed: with a 421 at the next MAIL if `polite`, else at once.
    """

    delay: float = DELAY_SECONDS
    in_turn: bool = False
    busy: float = 0.0
    most: int = sys.maxsize
    polite: bool = False


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.buffer = b""
        self.is_in_data = False
        self.is_over = False
        self.taken = 0
        self.refuses = b""
        self.free_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what asyncio gives to a server
        self.transport = transport
        self.clock = asyncio.get_running_loop()
        self.reply(b"220 slow.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.is_over:
            end, width = (self.buffer.find(b"\r\n.\r\n"), 5) if self.is_in_data else (self.buffer.find(b"\r\n"), 2)
            if end < 0:
                return
            line, self.buffer = self.buffer[:end], self.buffer[end + width :]
            self.take(b"." if self.is_in_data else line[:4].upper())

    def take(self, word: bytes) -> None:
        """Answer one command, or one message."""
        if word == b"EHLO":
            self.reply(b"250-slow.example\r\n250 PIPELINING\r\n")
            return
        if word == b"QUIT":
            self.close_with(b"221 2.0.0 Bye\r\n")
            return
        if word == b"MAIL":
            self.refuses = self.command_to_refuse()
        if word == self.refuses:
            self.close_with(BUSY)
            return
        self.is_in_data = word == b"DATA"
        self.taken += word == b"."
        if word == b"." and self.taken == self.behaviour.most and not self.behaviour.polite:
            self.close_with(REPLIES[word])
            return
        self.reply(REPLIES.get(word, b"250 2.0.0 Ok\r\n"))

    def command_to_refuse(self) -> bytes:
        """The command of the next message that is refused, if any."""
        if self.taken == self.behaviour.most:
            return b"MAIL"
        return random.choice(list(REPLIES)) if random.random() < self.behaviour.busy else b""  # noqa: S311  # no secret

    def close_with(self, word: bytes) -> None:
        self.is_over = True
        self.reply(word)
        self.clock.call_at(self.free_at, self.transport.close)

    def reply(self, line: bytes) -> None:
        """Send it after the delay."""
        now = self.clock.time()
        self.free_at = (max(now, self.free_at) if self.behaviour.in_turn else now) + self.behaviour.delay
        if self.behaviour.delay:
            self.clock.call_at(self.free_at, self.transport.write, line)
        else:
            self.transport.write(line)


async def _serve(port: multiprocessing.Queue[int], behaviour: Behaviour) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Session(behaviour), "127.0.0.1", 0)
    port.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(port: multiprocessing.Queue[int], behaviour: Behaviour) -> None:
    try:
        asyncio.run(_serve(port, behaviour))
    except KeyboardInterrupt:
        sys.exit(0)


@contextmanager
def running(behaviour: Behaviour) -> Iterator[int]:
    """Run the server; yield its port."""
    context = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_main, args=(port, behaviour), daemon=True)
    process.start()
    try:
        yield port.get(timeout=30)
    finally:
        process.terminate()
        process.join()
