"""What a bounce says: that the mailbox is not there, that we are not wanted, or "not now".

Only the first may suppress an address. Providers mix the three, so the enhanced status code
(RFC 3463) that the receiving server gave decides before the provider's own word does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anymail.signals import RejectReason

# RFC 3463, RFC 7505: subject and detail of the permanent codes that speak of the address itself.
# Every other 5.x.x is about the message, the way there or our reputation (5.7.x).
MAILBOX_CODES: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
# What may be mended without us, however final the server's word: a full mailbox or system (2.2, 3.1),
# a system that takes no mail now (3.2), and every fault on the way there (4.x: no answer, no route, a
# loop, time over). Mailgun suppresses nobody for these, Amazon SES calls them transient, and Microsoft's
# 5.4.1 means a stranger as well as a block. One is forgiven; in a row, for long enough, they suppress.
SOFT_CODES: Final = frozenset({"2.2", "3.1", "3.2"})
SOFT_SUBJECTS: Final = ("4.",)
SOFT_REASONS: Final = frozenset({RejectReason.TIMED_OUT})

# Anymail's reason -> whether it is about the mailbox, when no code says more.
MAILBOX_REASONS: Final[Mapping[str, bool]] = {
    RejectReason.INVALID: True,
    RejectReason.BOUNCED: True,
    RejectReason.BLOCKED: False,
    RejectReason.SPAM: False,
    RejectReason.UNSUBSCRIBED: False,
    RejectReason.OTHER: False,
}

# provider -> where its payload says that a bounce is soft, which Anymail's one word "bounced" hides:
# a dotted path and the values that mean "not now".
SOFT_WORDS: Final[Mapping[str, tuple[str, frozenset[object]]]] = {
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

# Not part of a longer dotted number, which would be an IP address.
_CODE = re.compile(r"(?<![\d.])([45])\.(\d{1,3}\.\d{1,3})(?!\.?\d)")


@dataclass(frozen=True, slots=True)
class Bounce:
    """`hard`: this copy will not arrive. `about_mailbox`: no copy ever will."""

    hard: bool
    about_mailbox: bool


SOFT: Final = Bounce(hard=False, about_mailbox=False)


def judge(*, provider: str, reject_reason: str | None, said: str, payload: object) -> Bounce:
    """What a bounce means; `said` is the server's answer, `payload` the provider's own event.

    Never raises, whatever the payload looks like. In doubt the address is kept.
    """
    code = _CODE.search(said)
    if code and (code[1] == "4" or code[2] in SOFT_CODES or code[2].startswith(SOFT_SUBJECTS)):
        return SOFT
    # 5.0.0 says no more than "no".
    if code and code[2] != "0.0":
        return Bounce(hard=True, about_mailbox=code[2] in MAILBOX_CODES)
    if _is_soft_word(provider, payload) or reject_reason in SOFT_REASONS:
        return SOFT
    return Bounce(hard=True, about_mailbox=MAILBOX_REASONS.get(reject_reason or "", False))


def _is_soft_word(provider: str, payload: object) -> bool:
    path, words = SOFT_WORDS.get(provider, ("", frozenset()))
    value = payload
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return False
        value = value.get(key)
    return isinstance(value, str | int) and value in words
