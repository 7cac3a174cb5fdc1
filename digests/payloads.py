"""What stands in providers' own payloads and is lost in Anymail's common words: literal tables by provider.

A place is a dotted path into the payload. Payloads are strangers' data: nothing here raises.
"""

from collections.abc import Mapping
from typing import Final

from digests.models import DeliveryEvent

Kind = DeliveryEvent.Kind

# Where a payload says that a bounce is soft, which Anymail's one word "bounced" hides.
SOFT: Final[Mapping[str, tuple[str, frozenset[object]]]] = {
    "amazon_ses": ("bounce.bounceType", frozenset({"Transient", "Undetermined"})),
    "brevo": ("event", frozenset({"soft_bounce"})),
    "mailersend": ("type", frozenset({"activity.soft_bounced"})),
    "mailjet": ("hard_bounce", frozenset({False})),
    "mandrill": ("event", frozenset({"soft_bounce"})),
    "postmark": ("Type", frozenset({"SoftBounce"})),
    "sendgrid": ("type", frozenset({"blocked"})),
    # https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
    "sparkpost": ("msys.message_event.bounce_class", frozenset({"20", "21", "22", "23", "24", "40", "60", "70"})),
    "unisender_go": ("delivery_info.delivery_status", frozenset({"err_mailbox_full"})),
}
# What a reader did, told under a name that Anymail does not know, or as the reason why a copy was not sent:
# a provider keeps a list of its own of those who left or complained, and drops what is sent to them.
READERS_ACTS: Final[Mapping[str, tuple[tuple[str, object, Kind], ...]]] = {
    "amazon_ses": (("subscription.newTopicPreferences.unsubscribeAll", True, Kind.UNSUBSCRIBE),),
    "brevo": (("event", "unsubscribed", Kind.UNSUBSCRIBE),),
    "mailgun": (
        ("event-data.reason", "suppress-unsubscribe", Kind.UNSUBSCRIBE),
        ("event-data.reason", "suppress-complaint", Kind.COMPLAINT),
        ("code", "606", Kind.UNSUBSCRIBE),
        ("code", "607", Kind.COMPLAINT),
    ),
    "mailjet": (("error", "spam reporter", Kind.COMPLAINT),),
    "mandrill": (
        ("msg.reject.reason", "unsub", Kind.UNSUBSCRIBE),
        ("msg.reject.reason", "spam", Kind.COMPLAINT),
    ),
    "sendgrid": (
        ("reason", "Unsubscribed Address", Kind.UNSUBSCRIBE),
        ("reason", "Spam Reporting Address", Kind.COMPLAINT),
    ),
    "unisender_go": (("delivery_info.delivery_status", "err_unsubscribed", Kind.UNSUBSCRIBE),),
}


def is_soft(*, provider: str, payload: object) -> bool:
    """Whether the provider itself calls the bounce soft."""
    path, words = SOFT.get(provider, ("", frozenset()))
    found = value(payload, path)
    return isinstance(found, str | int) and found in words


def readers_act(*, provider: str, payload: object) -> Kind | None:
    """What the reader did, if the payload tells of it in words of its own."""
    for path, word, kind in READERS_ACTS.get(provider, ()):
        if value(payload, path) == word:
            return kind
    return None


def value(payload: object, path: str) -> object:
    """What stands at the path, or None."""
    for key in path.split("."):
        if not isinstance(payload, Mapping):
            return None
        payload = payload.get(key)
    return payload
