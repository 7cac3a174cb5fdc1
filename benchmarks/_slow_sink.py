"""A mail server with a distance and moods: SMTP enough to be sent to, in a process of its own."""

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
ANSWERS: Final = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 Go on\r\n",
    b".": b"250 2.0.0 Ok\r\n",
}
BUSY: Final = b"421 4.7.0 Too busy\r\n"


@dataclasses.dataclass(frozen=True)
class Mood:
    """How it answers: each answer after `delay` seconds, counted from the last one if `in_turn`.

    `busy` is the share of messages that get a 421 to one of their commands, which ends the connection.
    One that has taken `most` messages is closed: with a word at the next MAIL if `polite`, else at once.
    """

    delay: float = DELAY_SECONDS
    in_turn: bool = False
    busy: float = 0.0
    most: int = sys.maxsize
    polite: bool = False


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, mood: Mood) -> None:
        self.mood = mood
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
        self.answer(b"220 slow.example ESMTP\r\n")

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
            self.answer(b"250-slow.example\r\n250 PIPELINING\r\n")
            return
        if word == b"QUIT":
            self.part(b"221 2.0.0 Bye\r\n")
            return
        if word == b"MAIL":
            self.refuses = self.moody()
        if word == self.refuses:
            self.part(BUSY)
            return
        self.is_in_data = word == b"DATA"
        self.taken += word == b"."
        if word == b"." and self.taken == self.mood.most and not self.mood.polite:
            self.part(ANSWERS[word])
            return
        self.answer(ANSWERS.get(word, b"250 2.0.0 Ok\r\n"))

    def moody(self) -> bytes:
        """The command of the next message that is refused, if any."""
        if self.taken == self.mood.most:
            return b"MAIL"
        return random.choice(list(ANSWERS)) if random.random() < self.mood.busy else b""  # noqa: S311  # no secret

    def part(self, word: bytes) -> None:
        self.is_over = True
        self.answer(word)
        self.clock.call_at(self.free_at, self.transport.close)

    def answer(self, reply: bytes) -> None:
        """Say it when its time has come."""
        now = self.clock.time()
        self.free_at = (max(now, self.free_at) if self.mood.in_turn else now) + self.mood.delay
        if self.mood.delay:
            self.clock.call_at(self.free_at, self.transport.write, reply)
        else:
            self.transport.write(reply)


async def _serve(port: multiprocessing.Queue[int], mood: Mood) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Session(mood), "127.0.0.1", 0)
    port.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(port: multiprocessing.Queue[int], mood: Mood) -> None:
    try:
        asyncio.run(_serve(port, mood))
    except KeyboardInterrupt:
        sys.exit(0)


@contextmanager
def running(mood: Mood) -> Iterator[int]:
    """The sink; gives its port."""
    context = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_main, args=(port, mood), daemon=True)
    process.start()
    try:
        yield port.get(timeout=30)
    finally:
        process.terminate()
        process.join()
