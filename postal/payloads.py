"""Facts in providers' own webhook payloads that Anymail's events leave out. `postal.providers` says where they are.

A path is dotted, as in `bounce.bounceType`. Payloads are untrusted: nothing here raises.
"""

from collections.abc import Mapping

from postal import providers
from postal.providers import Act


def is_soft(*, provider: str, payload: object) -> bool:
    """Whether the provider itself calls the bounce soft."""
    reports = providers.REPORTING.get(provider)
    if reports is None:
        return False
    word = value(payload, reports.soft.path)
    return isinstance(word, str | int) and word in reports.soft.values


def reader_act(*, provider: str, payload: object) -> Act | None:
    """The reader's complaint or unsubscription, if the payload reports it under a name that Anymail does not know."""
    reports = providers.REPORTING.get(provider)
    for path, word, act in reports.acts if reports else ():
        if value(payload, path) == word:
            return act
    return None


def value(payload: object, path: str) -> object:
    """The value at the path, or None."""
    for key in path.split("."):
        if not isinstance(payload, Mapping):
            return None
        payload = payload.get(key)
    return payload
