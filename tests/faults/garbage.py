"""Entries of a queue that are no tasks, of each kind: a list in Redis takes anything."""

import base64
import json
from typing import Any

from newsroom.celery import app


def real(task: str = "digests.sending.tasks.run_lane", args: Any = (1, 0), queue: str = "digest") -> dict[str, Any]:
    """A message as the product writes it."""
    return {
        "body": body([list(args), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": task,
            "id": "2f690b19-80d1-47e3-92f6-14bc17f173d0",
            "eta": None,
            "expires": None,
            "retries": 0,
            "timelimit": [300, 270],
            "stamps": {},
        },
        "properties": {
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "383ce9f2-78df-42dc-b424-b41ed4aeac39",
        },
    }


def body(content: Any) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def changed(**changes: Any) -> bytes:
    """The real message with other values: `headers__id=None`; a value of `...` leaves the field out."""
    message = real()
    for path, value in changes.items():
        *parents, name = path.replace("_type", "-type").replace("_of_content", "-encoding").split("__")
        place: Any = message
        for parent in parents:
            place = place[parent]
        place[name] = value
        if value is ...:
            del place[name]
    return json.dumps(message).encode()


ENTRIES: dict[str, bytes] = {
    "no JSON": b"hello",
    "empty": b"",
    "no text": b"\xff\xfe\x00",
    "half a message": json.dumps(real()).encode()[:-9],
    "a list": b"[]",
    "a number": b"1",
    "a text": b'"hello"',
    "null": b"null",
    "an empty object": b"{}",
    "an object in kombu's own notation": b'{"__type__": "datetime", "__value__": "never"}',
    "very deep": b"[" * 20_000,
    "very large": b'"' + b"x" * 2_000_000 + b'"',
    "no properties": changed(properties=...),
    "properties that are a list": changed(properties=[]),
    "no delivery tag": changed(properties__delivery_tag=...),
    "a delivery tag that is an object": changed(properties__delivery_tag={}),
    "no delivery info": changed(properties__delivery_info=...),
    "no routing key": changed(properties__delivery_info__routing_key=...),
    "a queue that is not there": changed(properties__delivery_info__routing_key="nowhere"),
    "an unknown encoding of the body": changed(properties__body_encoding="rot13"),
    "a body that is not base64": changed(body="***"),
    "a body that is a number": changed(body=7),
    "no body": changed(body=...),
    "a body that is no JSON": changed(body=base64.b64encode(b"hello").decode()),
    "a body that is null": changed(body=body(None)),
    "a body of two parts": changed(body=body([[1, 0], {}])),
    "a body with a callback": changed(body=body([[1, 0], {}, {"callbacks": [{"task": "subscribers.tasks.tick"}]}])),
    "pickle": changed(content_type="application/x-python-serialize"),
    "compressed": changed(headers__compression="application/x-gzip"),
    "no headers": changed(headers=...),
    "headers that are null": changed(headers=None),
    "headers that are a list": changed(headers=[]),
    "no task": changed(headers__task=...),
    "a task that is a list": changed(headers__task=[]),
    "a task that is not there": changed(headers__task="digests.sending.tasks.run_lanes"),
    "no id": changed(headers__id=...),
    "an id that is an object": changed(headers__id={}),
    "a time that is none": changed(headers__eta="tomorrow"),
    "a time in a thousand years": changed(headers__eta="3026-11-28T06:04:29+00:00"),
    "an expiry that is none": changed(headers__expires=[1]),
    "time limits of one part": changed(headers__timelimit=[1]),
    "time limits that are words": changed(headers__timelimit=["a", "b"]),
    "retries that are a word": changed(headers__retries="many"),
    "too few arguments": changed(body=body([[], {}, {}])),
    "too many arguments": changed(body=body([[1, 2, 3], {}, {}])),
    "arguments of another name": changed(body=body([[1, 0], {"reader": 1}, {}])),
    "an argument that is a word": changed(body=body([["; DROP TABLE", 0], {}, {}])),
    "an argument that is an object": changed(body=body([[{}, 0], {}, {}])),
    "arguments that are an object": changed(body=body([{}, {}, {}])),
}
TASKS = sorted(name for name in app.tasks if not name.startswith("celery."))
