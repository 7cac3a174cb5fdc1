"""What stands in providers' own payloads and is lost in Anymail's common words (`postal.providers` has where).

A place is a dotted path into the payload. Payloads are strangers' data: nothing here raises.
"""

from collections.abc import Mapping

from digests.models import DeliveryEvent
from postal import providers

Kind = DeliveryEvent.Kind


def is_soft(*, provider: str, payload: object) -> bool:
    """Whether the provider itself calls the bounce soft."""
    reports = providers.REPORTING.get(provider)
    if reports is None:
        return False
    word = value(payload, reports.soft.path)
    return isinstance(word, str | int) and word in reports.soft.values


def readers_act(*, provider: str, payload: object) -> Kind | None:
    """What the reader did, if the payload tells of it in words of its own."""
    reports = providers.REPORTING.get(provider)
    for path, word, act in reports.acts if reports else ():
        if value(payload, path) == word:
            return Kind(act)
    return None


def value(payload: object, path: str) -> object:
    """What stands at the path, or None."""
    for key in path.split("."):
        if not isinstance(payload, Mapping):
            return None
        payload = payload.get(key)
    return payload
