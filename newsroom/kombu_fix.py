"""Fixes of kombu 5.7.0's Redis transport: a worker survives a long outage of Redis and entries that are no tasks.

Kombu reads whatever lies in its keys as if only kombu had written there. One entry that is no JSON ended the worker;
one without `properties` was a lost connection to it; one that names no task was dropped with a line in the log. Here
each entry is looked at first, and what cannot be given to a worker is put aside (dead_entries).
"""

from __future__ import annotations

import functools
import logging
from queue import Empty
from typing import Any

import redis
from kombu import transport
from kombu.exceptions import InconsistencyError
from kombu.transport import redis as kombu_redis
from kombu.utils.json import dumps

from newsroom import dead_entries, task_messages, workers

log = logging.getLogger(__name__)

# Faults of the connection, not of the message: kombu and Celery reconnect.
OF_THE_CONNECTION = (redis.RedisError, OSError, InconsistencyError)
# Where `celery inspect` and `celery status` read what the workers answer: replies, never tasks.
REPLIES = ".reply.celery.pidbox"
# Through these they are asked and answer, and tell what they do.
EXCHANGES = ("celery.pidbox", "reply.celery.pidbox", "celeryev")


class _Client(redis.Redis):
    """A client whose BRPOP returns nothing in place of a queue's entry that is no task."""

    def parse_response(self, connection: Any, command_name: str | bytes, **options: Any) -> Any:
        reply: Any = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]  # redis-py has no types here
        if command_name != "BRPOP" or not reply:
            return reply
        key, entry = reply
        queue = _queue(key)
        if queue.endswith(REPLIES):
            return reply
        try:
            task_messages.check(entry=entry)
        except task_messages.NotATask as fault:
            dead_entries.put_aside(queue=queue, entry=entry, reason=str(fault))
            return None
        return reply


class _PrefixedClient(kombu_redis.GlobalKeyPrefixMixin, _Client):  # type: ignore[misc]  # kombu's own client is the same mix
    """The same with a key prefix, for test processes that share one Redis."""

    def __init__(self, *args: Any, global_keyprefix: str, **options: Any) -> None:
        self.global_keyprefix = global_keyprefix
        _Client.__init__(self, *args, **options)

    def pubsub(self, **options: Any) -> Any:
        return kombu_redis.PrefixedRedisPubSub(self.connection_pool, global_keyprefix=self.global_keyprefix, **options)


class QoS(kombu_redis.QoS):
    """The unacknowledged messages of the workers."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """As kombu's, but an entry that is no task is set aside; kombu would fail at it each time."""
        with self.channel.conn_or_acquire(client) as client:  # type: ignore[attr-defined]  # the stubs leave it out
            entry = client.hget(self.unacked_key, tag)
            try:
                if entry is not None:
                    task_messages.check_unacked(entry=entry)
            except task_messages.NotATask as fault:
                self._remove_from_indices(tag).execute()  # type: ignore[attr-defined]  # as above
                dead_entries.put_aside(queue=self.unacked_key, entry=entry, reason=str(fault))
            else:
                super().restore_by_tag(tag, client=client, leftmost=leftmost)


class Channel(kombu_redis.Channel):
    """kombu's channel with its faults fixed."""

    QoS = QoS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # A key of another type fails each command, so kombu connects again and comes here.
        types = {self.unacked_key: "hash", self.unacked_index_key: "zset", self.unacked_mutex_key: "string"}
        types[self.keyprefix_binding_deadlines] = "zset"  # type: ignore[attr-defined]  # the stubs leave it out
        for exchange in (*workers.QUEUES, *EXCHANGES):
            types[self.keyprefix_queue % exchange] = "set"
            types[self.keyprefix_binding_permanent % exchange] = "set"  # type: ignore[attr-defined]  # as above
        for queue in workers.QUEUES:
            types |= {self._q_for_pri(queue, priority): "list" for priority in self.priority_steps}  # type: ignore[attr-defined]  # the stubs leave it out
        dead_entries.set_aside(types=types)

    def _get_client(self) -> Any:
        super()._get_client()  # type: ignore[misc]  # the stubs leave it out; it refuses a client that is too old
        if self.global_keyprefix:
            return functools.partial(_PrefixedClient, global_keyprefix=self.global_keyprefix)
        return _Client

    def _connparams(self, asynchronous: bool = False) -> Any:
        """While Redis refuses connections, a worker closes the lost one twice, and running tasks acknowledge on it.

        kombu then looks for its settings where it has just removed them, and that AttributeError ended the whole
        worker: an outage of seconds stopped all mail. Said as what it is, a lost connection, nothing ends.
        """
        if self.connection is None or self.connection.client is None:
            raise ConnectionResetError("the connection of this channel was closed")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]  # the stubs leave it out

    def _receive(self) -> bool:
        """Take commands to all workers; what cannot be read is named in the log."""
        try:
            return bool(super()._receive())  # type: ignore[misc]  # as above
        except (*OF_THE_CONNECTION, Empty):
            raise
        except Exception as fault:  # noqa: BLE001  # whatever was wrong with it must not end the worker
            log.error("a message to all workers was dropped: %s", type(fault).__name__)
            return True


class Transport(kombu_redis.Transport):
    """Redis with the channels above."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str | None) -> None:
        """Give a message to the worker. One at which it fails is set aside, and the worker continues."""
        try:
            super()._deliver(message, queue)
        except OF_THE_CONNECTION:
            raise
        except Exception as fault:
            log.exception("the worker failed at an entry of the queue %s", queue)
            reason = f"the worker failed at it ({type(fault).__name__})"
            dead_entries.put_aside(queue=queue or "", entry=dumps(message).encode(), reason=reason)
            self._drop(message)

    def _drop(self, message: Any) -> None:
        match message:
            case {"properties": {"delivery_tag": str(tag)}}:
                for channel in self.channels or ():
                    if tag in (channel.qos._delivered or ()):  # noqa: SLF001  # kombu has no question for it
                        channel.basic_reject(tag, requeue=False)


def _queue(key: str | bytes) -> str:
    """The name of the queue whose list this is; kombu has one for each priority."""
    name = key.decode(errors="replace") if isinstance(key, bytes) else key
    return name.split("\x06\x16")[0]


def use() -> None:
    """After: every connection that Celery makes to Redis in this process is of this kind."""
    for scheme in ("redis", "rediss"):
        transport.TRANSPORT_ALIASES[scheme] = "newsroom.kombu_fix:Transport"
