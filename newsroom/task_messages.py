"""Whether an entry of a queue is a task of ours, as Celery writes it (message protocol 2 over kombu's Redis transport).

A queue is a list in Redis, and any program that writes there can put anything into it. Kombu and Celery trust what
they read: a worker that takes an entry of another form ends, or drops it with its wake-up.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery import current_app
from celery.utils.time import maybe_iso8601

from newsroom import workers

# Ours have about a thousand bytes.
LONGEST: Final = 65_536
# Nothing is queued for a time further away than minutes.
LATEST_ETA: Final = timedelta(hours=1)
SCALAR: Final = (str, int, float, type(None))
STRUCTURED: Final = {"timelimit", "stamps", "stamped_headers"}


class NotATask(ValueError):
    """The entry cannot be given to a worker; the message says why, in words that follow “it was put aside:”."""


def check(*, entry: bytes) -> None:
    """Returns if the entry of a queue can be given to a worker. On failure: NotATask."""
    _check_message(_decoded(entry, "it is no JSON"))


def check_unacked(*, entry: bytes) -> None:
    """`check` for what kombu keeps of a task that a worker has: the message, its exchange, its routing key."""
    match _decoded(entry, "it is no JSON"):
        case [message, str(), str(queue)] if queue in workers.QUEUES:
            _check_message(message)
        case _:
            raise NotATask("it is not what kombu keeps of a task")


def _decoded(entry: bytes, fault: str) -> Any:
    if len(entry) > LONGEST:
        raise NotATask(f"it has {len(entry):,} bytes")
    try:
        return json.loads(entry)
    except (ValueError, RecursionError) as error:
        raise NotATask(fault) from error


def _check_message(message: Any) -> None:
    match message:
        case {
            "body": str(body),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": str(task), "id": str(), **headers},
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": str(),
                "delivery_info": {"exchange": str(), "routing_key": str(queue)},
                **properties,
            },
        } if queue in workers.QUEUES:
            _check_scalars(headers)
            _check_scalars(properties)
            _check_headers(headers)
            _check_arguments(task, body)
        case _:
            raise NotATask("it is no message of Celery's protocol")


def _check_scalars(fields: Mapping[Any, Any]) -> None:
    for name, value in fields.items():
        if name not in STRUCTURED and not isinstance(value, SCALAR):
            raise NotATask(f"its field {name!r} is no plain value")
    if fields.get("compression"):
        raise NotATask("it is compressed")


def _check_headers(headers: Mapping[Any, Any]) -> None:
    match headers.get("timelimit"):
        case None | [float() | int() | None, float() | int() | None]:
            pass
        case _:
            raise NotATask("its time limits are no numbers")
    if not isinstance(headers.get("retries", 0), int):
        raise NotATask("its retries are no number")
    for name in ("eta", "expires"):
        _check_time(name, headers.get(name))


def _check_time(name: str, value: Any) -> None:
    if value is None:
        return
    try:
        moment = maybe_iso8601(value)
        is_too_far = isinstance(moment, datetime) and moment.astimezone(UTC) > datetime.now(UTC) + LATEST_ETA
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise NotATask(f"its {name} is no time") from error
    if is_too_far:
        raise NotATask(f"its {name} is further away than {LATEST_ETA}")


def _check_arguments(task: str, body: str) -> None:
    known = current_app.tasks.get(task)
    if known is None:
        raise NotATask(f"there is no task {task[:100]!r}")
    try:
        content = json.loads(base64.b64decode(body, validate=True))
    except (ValueError, RecursionError) as error:
        raise NotATask("its body is no JSON") from error
    match content:
        case [list(args), dict(kwargs), dict(embedded)] if not any(embedded.values()):
            _check_signature(known, args, kwargs)
        case _:
            raise NotATask("its body is not that of a task of ours")


def _check_signature(task: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    """A task carries whole numbers only."""
    if not all(type(value) is int for value in [*args, *kwargs.values()]):
        raise NotATask(f"the arguments of {task.name} are no whole numbers")
    try:
        task.__header__(*args, **kwargs)
    except TypeError as error:
        raise NotATask(f"its arguments do not fit {task.name}") from error
