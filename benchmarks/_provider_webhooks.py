"""Webhook requests of Mailgun and SparkPost, signed, and a client that sends them at a given rate."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

HOST = "news.example.org"
MAILGUN_KEY = "mailgun-signing-key"
SECRET = "hook:very-secret"  # noqa: S105  # of a site that lives for a minute
METADATA_KEY = "delivery"
CONNECTIONS = 64

# Events, and how many of each in a thousand.
EVENTS = {
    "delivered": 940,
    "failed: not now": 20,
    "failed: nobody there": 10,
    "complained": 2,
    "unsubscribed": 3,
    "clicked": 15,
    "opened": 10,
}
STATUS = {
    "failed: not now": {"code": 421, "message": "421 4.7.0 Try again later", "description": ""},
    "failed: nobody there": {"code": 550, "message": "550 5.1.1 No such user", "description": ""},
}
SPARKPOST = {
    "delivered": "delivery",
    "failed: not now": "delay",
    "failed: nobody there": "bounce",
    "complained": "spam_complaint",
    "unsubscribed": "list_unsubscribe",
    "clicked": "click",
    "opened": "open",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy as a provider knows it."""

    uuid: str
    recipient: str


@dataclass(slots=True)
class Responses:
    """The responses: the seconds from the moment at which each request was due, and the statuses."""

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lasted: float = 0.0


def events(copies: Sequence[Copy], number: int) -> list[tuple[Copy, str]]:
    """`number` events, the same in every run."""
    words = random.Random(1).choices(list(EVENTS), weights=list(EVENTS.values()), k=number)  # noqa: S311  # as above
    return list(zip(itertools.islice(itertools.cycle(copies), number), words, strict=True))


def mailgun(events: Sequence[tuple[Copy, str]]) -> list[bytes]:
    """A signed request for each event, every twentieth sent twice."""
    singles = [_request("/webhooks/mailgun/", json.dumps(_signed(copy, word))) for copy, word in events]
    return [request for place, one in enumerate(singles) for request in [one] * (1 + (place % 20 == 0))]


def _signed(copy: Copy, word: str) -> dict[str, object]:
    stamp, token = str(int(time.time())), hashlib.sha256(f"{copy.uuid}{word}{time.time_ns()}".encode()).hexdigest()[:50]
    signature = hmac.new(MAILGUN_KEY.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    event: dict[str, object] = {
        "event": word.partition(":")[0],
        "severity": "temporary" if word == "failed: not now" else "permanent",
        "reason": "bounce" if word == "failed: nobody there" else "generic",
        "timestamp": time.time(),
        "id": token[:22],
        "recipient": copy.recipient,
        "recipient-domain": "bench.example.com",
        "message": {"headers": {"message-id": f"{copy.uuid}@news.example.org", "to": copy.recipient}, "size": 24_000},
        "delivery-status": STATUS.get(word, {"code": 250, "message": "OK", "mx-host": "mx.bench.example.com"}),
        "user-variables": {METADATA_KEY: copy.uuid},
        "flags": {"is-authenticated": True, "is-test-mode": False},
        "tags": [],
    }
    return {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": event}


def sparkpost(events: Sequence[tuple[Copy, str]], *, size: int) -> list[bytes]:
    """Requests of `size` events each."""
    payloads = [_relayed(copy, word, number) for number, (copy, word) in enumerate(events)]
    batches = [payloads[start : start + size] for start in range(0, len(payloads), size)]
    return [_request("/webhooks/sparkpost/", json.dumps(batch)) for batch in batches]


def _relayed(copy: Copy, word: str, number: int) -> dict[str, object]:
    event = {
        "type": SPARKPOST[word],
        "event_id": f"{number}-{time.time_ns()}",
        "timestamp": str(int(time.time())),
        "rcpt_to": copy.recipient,
        "rcpt_meta": {METADATA_KEY: copy.uuid},
        "message_id": copy.uuid.replace("-", "")[:20],
        "raw_reason": STATUS.get(word, {}).get("message", ""),
        "bounce_class": "10",
    }
    return {"msys": {"message_event": event}}


def _request(path: str, body: str) -> bytes:
    """A request as the proxy that ends TLS passes it on."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n"
        f"Authorization: Basic {base64.b64encode(SECRET.encode()).decode()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


def send(port: int, requests: Sequence[bytes], rate: float) -> Responses:
    """Send `rate` requests a second, each when it is due, whatever became of earlier ones; 0: one after another."""
    return asyncio.run(_send(port, requests, rate))


async def _send(port: int, requests: Sequence[bytes], rate: float) -> Responses:
    responses, began = Responses(), time.perf_counter()
    waiting = iter([(began + (place / rate if rate else 0), one) for place, one in enumerate(requests)])
    await asyncio.gather(*(_connection(port, waiting, responses, paced=bool(rate)) for _ in range(CONNECTIONS)))
    responses.lasted = time.perf_counter() - began
    return responses


async def _connection(port: int, waiting: Iterator[tuple[float, bytes]], responses: Responses, *, paced: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for due, request in waiting:
        await asyncio.sleep(due - time.perf_counter())
        start = due if paced else time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0))
        responses.seconds.append(time.perf_counter() - start)
        responses.statuses.append(int(head.split(b" ", 2)[1]))
    writer.close()
