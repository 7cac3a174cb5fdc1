"""Keep webhook events whose time cannot be parsed. They get the time of their arrival.

Anymail rejects a whole request because of one such event. A rejected request is repaired, if a time is the
cause, and parsed again. If one of many events is the cause, each event is parsed separately.
"""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, QueryDict
from django.utils import dateparse

from postal import providers
from postal.providers import TimeForm

# A placeholder for an unreadable time until the event is parsed. No provider is as old.
_UNREADABLE: Final = datetime(1990, 1, 1, tzinfo=UTC)
_DEEPEST: Final = 8

# Parts of a payload that are ours, or signed, stay unchanged.
_NOT_THEIRS: Final = frozenset(
    {
        "signature",
        "user-variables",
        "Metadata",
        "metadata",
        "custom_variables",
        "rcpt_meta",
        "Payload",
        "X-Mailin-custom",
    }
)


def repaired(*, provider: str, request: HttpRequest) -> HttpRequest | None:
    """The request with every time of its events readable; None if it has nothing to repair."""
    reports = providers.REPORTING[provider]
    payload = _payload(provider, request)
    if not isinstance(payload, dict | list):
        return None
    return _with(provider, request, _repair(payload, reports.times, reports.time_form, 0))


def split(*, provider: str, request: HttpRequest) -> Iterator[HttpRequest]:
    """One request per event, if the request has a list of events; nothing otherwise."""
    payload = _payload(provider, request)
    key = providers.REPORTING[provider].list_key
    if key and isinstance(payload, dict) and isinstance(payload.get(key), list):
        yield from (_with(provider, request, {**payload, key: [event]}) for event in payload[key])
    elif isinstance(payload, list):
        yield from (_with(provider, request, [event]) for event in payload)


def drop_unreadable(events: list[Any]) -> list[Any]:
    """The events, without a time where it could not be read."""
    for event in events:
        if event.timestamp == _UNREADABLE:
            event.timestamp = None
    return events


def _payload(provider: str, request: HttpRequest) -> object:
    try:
        field = providers.REPORTING[provider].form_field
        return json.loads(request.POST[field] if field else request.body)
    except (ValueError, KeyError, RecursionError):
        return None


def _with(provider: str, request: HttpRequest, payload: object) -> HttpRequest:
    """A copy of the verified request with another payload."""
    other = copy.copy(request)
    written = json.dumps(payload)
    if field := providers.REPORTING[provider].form_field:
        form = QueryDict(mutable=True)
        form[field] = written
        other.POST = form  # type: ignore[assignment]  # a QueryDict of our own is mutable
    else:
        other._body = written.encode()  # noqa: SLF001  # where Django caches the body
    return other


def _repair(value: object, names: frozenset[str], form: TimeForm, depth: int) -> object:
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [_repair(one, names, form, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: one if key in _NOT_THEIRS else _time(one, form) if key in names else _repair(one, names, form, depth + 1)
        for key, one in value.items()
    }


def _time(written: object, form: TimeForm) -> object:
    """The time as it is written, or the placeholder for an unreadable one."""
    if form == "iso":
        return written if _is_iso(written) else _UNREADABLE.isoformat()
    factor = 1_000 if form == "milliseconds" else 1
    try:
        number = float(written)  # type: ignore[arg-type]  # untrusted; the errors below are the test
        datetime.fromtimestamp(number / factor, tz=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return int(_UNREADABLE.timestamp() * factor)
    return int(number)


def _is_iso(written: object) -> bool:
    try:
        return isinstance(written, str) and dateparse.parse_datetime(written) is not None
    except ValueError:
        return False
