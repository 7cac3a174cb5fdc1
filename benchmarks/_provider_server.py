"""A mail provider for the benchmark: Mailgun's and Resend's calls that send messages, cheap enough not to distort it.

`python -m benchmarks._provider_server` prints its port. It reads each request to its end and parses it: the
recipients of a form (Mailgun) must be those of its `recipient-variables`, and each must have its own
`v:delivery`; a JSON body (Resend) names one reader. It ends when its standard input does, and prints
how many recipients it was given, how many different ones, and how many different copies.

ANSWER_SECONDS is how long it waits before each response.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, unquote, unquote_plus

ANSWER_SECONDS = float(os.environ.get("ANSWER_SECONDS", "0"))
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# What JSON is mostly made of in a form; the rest is left to urllib.
FREQUENT = {b"%22": b'"', b"%3A": b":", b"%2C": b",", b"%7B": b"{", b"%7D": b"}", b"%40": b"@", b"+": b" "}
PIECE = 1 << 18

counting = threading.Lock()
recipients: list[str] = []
copies: set[str] = set()


def serve(connection: socket.socket) -> None:
    """Answer the requests of one kept connection until the sender closes it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = bytearray()
    number = 0
    while piece := connection.recv(PIECE):
        received += piece
        end = received.find(b"\r\n\r\n") + 4
        length = LENGTH.search(received, 0, end) if end >= 4 else None
        if length is None or len(received) < end + int(length[1]):
            continue
        number += 1
        take(bytes(received[:end]), bytes(received[end:]))
        received.clear()
        time.sleep(ANSWER_SECONDS)
        connection.sendall(response(f"<{connection.fileno()}.{number}@bench.example.com>"))


def response(name: str) -> bytes:
    """Mailgun's response to a request that it accepted; Resend's has the id only."""
    body = json.dumps({"id": name, "message": "Queued. Thank you."}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def take(head: bytes, body: bytes) -> None:
    """Count the readers of one request; one that makes no sense ends the server, and the benchmark with it."""
    if head.split(b" ", 2)[1].endswith(b"/messages"):
        readers, names = form(body)
    else:
        message = json.loads(body)
        readers, names = message["to"], [json.loads(message["headers"]["X-Metadata"])["delivery"]]
    with counting:
        recipients.extend(readers)
        copies.update(names)


def form(body: bytes) -> tuple[list[str], list[str]]:
    """The readers of Mailgun's form, and the delivery of each."""
    fields = body.split(b"&")
    readers = [unquote_plus(field[3:].decode()) for field in fields if field.startswith(b"to=")]
    written = next(field[20:] for field in fields if field.startswith(b"recipient-variables="))
    own = parse_qs(b"&".join(field for field in fields if not field.startswith((b"to=", b"recipient-variables="))))
    variables = json.loads(plain(written))
    if set(variables) != set(readers) or own[b"v:delivery"] != [b"%recipient.v:delivery%"] or not own[b"html"]:
        sys.stderr.write("A request whose variables are not those of its recipients.\n")
        os._exit(1)
    return readers, [one["v:delivery"] for one in variables.values()]


def plain(written: bytes) -> str:
    """A form's value as text."""
    for code, character in FREQUENT.items():
        written = written.replace(code, character)
    text = written.decode()
    return unquote(text) if "%" in text else text


def main() -> None:
    """Listen, say where, and count until standard input ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        threading.Thread(target=accept, args=[listening], daemon=True).start()
        sys.stdin.read()
        with counting:
            print(json.dumps([len(recipients), len(set(recipients)), len(copies)]), flush=True)
        os._exit(0)


def accept(listening: socket.socket) -> None:
    """A thread for each connection."""
    while True:
        threading.Thread(target=serve, args=[listening.accept()[0]], daemon=True).start()


if __name__ == "__main__":
    main()
