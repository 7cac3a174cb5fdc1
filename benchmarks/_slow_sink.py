"""A mail server that is 50 ms away, or that takes 50 ms for each answer: SMTP enough to be sent to, and a count."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

DELAY_SECONDS: Final = 0.05
ENVELOPE: Final = {b"MAIL": b"250 2.1.0 Ok\r\n", b"RCPT": b"250 2.1.5 Ok\r\n", b"DATA": b"354 Go on\r\n"}


class Session(asyncio.Protocol):
    """One connection. `in_turn`: the next command is looked at only when the last one was answered."""

    def __init__(self, *, in_turn: bool) -> None:
        self.in_turn = in_turn
        self.buffer = b""
        self.is_in_data = False
        self.free_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what asyncio gives to a server
        self.transport = transport
        self.clock = asyncio.get_running_loop()
        self.answer(b"220 slow.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end, width = (self.buffer.find(b"\r\n.\r\n"), 5) if self.is_in_data else (self.buffer.find(b"\r\n"), 2)
            if end < 0:
                return
            line, self.buffer = self.buffer[:end], self.buffer[end + width :]
            self.take(line)

    def take(self, line: bytes) -> None:
        """Answer one command, or one message."""
        word = line[:4].upper()
        if self.is_in_data:
            self.is_in_data = False
            self.answer(b"250 2.0.0 Ok\r\n")
        elif word == b"EHLO":
            self.answer(b"250-slow.example\r\n250 PIPELINING\r\n")
        elif word == b"QUIT":
            self.answer(b"221 2.0.0 Bye\r\n")
            self.clock.call_at(self.free_at, self.transport.close)
        else:
            self.is_in_data = word == b"DATA"
            self.answer(ENVELOPE.get(word, b"250 2.0.0 Ok\r\n"))

    def answer(self, reply: bytes) -> None:
        """Say it 50 ms from now, or 50 ms after what was said last."""
        now = self.clock.time()
        self.free_at = (max(now, self.free_at) if self.in_turn else now) + DELAY_SECONDS
        self.clock.call_at(self.free_at, self.transport.write, reply)


async def _serve(port: multiprocessing.Queue[int], in_turn: bool) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Session(in_turn=in_turn), "127.0.0.1", 0)
    port.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _main(port: multiprocessing.Queue[int], in_turn: bool) -> None:
    try:
        asyncio.run(_serve(port, in_turn))
    except KeyboardInterrupt:
        sys.exit(0)


@contextmanager
def running(*, in_turn: bool) -> Iterator[int]:
    """The sink in a process of its own; gives its port."""
    context = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_main, args=(port, in_turn), daemon=True)
    process.start()
    try:
        yield port.get(timeout=30)
    finally:
        process.terminate()
        process.join()
