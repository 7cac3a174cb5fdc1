"""Celery's way to Redis, made to outlive a Redis that stays away."""

from __future__ import annotations

from typing import Any

from kombu import transport
from kombu.transport import redis


class Channel(redis.Channel):
    """kombu's own, with one fault mended (kombu 5.7.0, celery 5.7.0).

    While Redis refuses connections, a worker closes the lost one twice, and running tasks
    acknowledge on it when they end. kombu then looks for its settings where it has just removed
    them, and that AttributeError ended the whole worker: an outage of seconds stopped all mail.
    Said as what it is, a lost connection, it is borne like any other.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionResetError("the connection of this channel was closed")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]  # the stubs leave it out


class Transport(redis.Transport):
    """Redis with the channels above."""

    Channel = Channel


def use() -> None:
    """After: every connection that Celery makes to Redis in this process is of this kind."""
    for scheme in ("redis", "rediss"):
        transport.TRANSPORT_ALIASES[scheme] = "newsroom.broker:Transport"
