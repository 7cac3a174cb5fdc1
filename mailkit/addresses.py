"""One normaliser for every address that enters: one mailbox, one key.

Domains follow IDNA 2008 after UTS 46 mapping, as registries do; the IDNA 2003 of
the standard library sends `straße.de` to another owner. The local part is plain
ASCII, because the transports promise no SMTPUTF8 (RFC 6531).
"""

import functools
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import idna
from django.conf import settings
from django.utils.translation import gettext_lazy as _

MAX_LOCAL = 64  # bytes, RFC 5321 4.5.3.1.1
MAX_ADDRESS = 254  # bytes, RFC 5321 4.5.3.1.3 less the angle brackets
MAX_RAW = 1_000  # characters; nothing longer is looked at
MAX_DOMAIN = 253
MAX_LABEL = 63

DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
ASCII_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# IDNA 2008 lets these two join letters in Persian or Sinhala domains and checks their neighbours.
JOINERS = frozenset("\u200c\u200d")
# Nothing of it is hidden or a space, which is most addresses; the others are looked at letter by letter.
PLAIN = re.compile(r"[!-~]+")
HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Alphabets whose letters pass for each other. Japanese, for one, mixes scripts and is not among them.
LOOK_ALIKES = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})

# RFC 2606, 6761, 6762, 7686, 8375, 9476 and ICANN's `internal`: nobody receives mail there.
RESERVED_SUFFIXES = frozenset({"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"})
RESERVED_DOMAINS = frozenset({"example.com", "example.net", "example.org", "localhost.localdomain"})

GMAIL = frozenset({"gmail.com", "googlemail.com"})

EMPTY = _("Please enter an e-mail address.")
NO_AT = _("An e-mail address has one @ in it, such as name@provider.com.")
ONLY_THE_ADDRESS = _("Please enter the address alone, without a name, brackets or further addresses.")
HIDDEN = _("The address contains an invisible character. Please type it by hand instead of pasting it.")
SPACES = _("An e-mail address has no spaces in it.")
NOT_ASCII = _(
    "The part before the @ has letters that our mail system cannot send to yet. "
    "Please use an address with plain letters (a to z) and digits there."
)
BAD_LOCAL = _("The part before the @ is not complete, or has a character that cannot be used there.")
QUOTED = _("Addresses with quotation marks are not supported. Please use another address.")
LONG_LOCAL = _("The part before the @ is too long; at most %(limit)s characters are possible.")
LONG = _("The address is too long; at most %(limit)s characters are possible.")
BAD_DOMAIN = _("The part after the @ is not a domain that exists. Please check it for a typing mistake.")
LITERAL = _("Please use an address with a domain name after the @, not with a number such as 127.0.0.1.")
ONE_LABEL = _("The part after the @ is not complete; it has a dot in it, such as provider.com.")
MIXED = _("The part after the @ mixes letters of different alphabets that look alike. Please type it by hand.")
RESERVED = _("No mail can be delivered to that domain. Please use an address at which you receive mail.")

# Anything that looks like local@domain, quoted or percent-encoded. It is greedy on purpose:
# a masked harmless word costs nothing, a leaked address cannot be taken back.
WRITTEN = re.compile(r"(?:\"[^\"]*\"|[^\s<>\"',;:()\[\]{}=&?/]+)(?:@|%40)[^\s<>\"',;:()\[\]{}=&?/]+", re.IGNORECASE)


class InvalidAddress(ValueError):
    """The text is not an address that can be mailed; str() is a sentence for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: `address` is what mail is sent to, `key` is the same for every spelling of it."""

    address: str
    key: str
    domain: str


def normalise(raw: str) -> Address:
    """Return the one form of the address in `raw`, whose `key` is unique per mailbox.

    After: `address` is the local part as typed and the A-label domain in lower
    case; both `address` and `key` normalise to the same key again.
    On failure: InvalidAddress; its sentence never repeats the address.
    """
    text = raw.strip(" \t\r\n\u00a0\ufeff")
    if not text:
        raise InvalidAddress(EMPTY)
    if len(text) > MAX_RAW:
        raise InvalidAddress(LONG % {"limit": MAX_ADDRESS})
    local, domain = _split(unicodedata.normalize("NFC", text), typed=text)
    _check_local(local)
    domain = _ascii_domain(domain)
    if len(local) + 1 + len(domain) > MAX_ADDRESS:
        raise InvalidAddress(LONG % {"limit": MAX_ADDRESS})
    if settings.ADDRESS_DENY_RESERVED and _is_reserved(domain):
        raise InvalidAddress(RESERVED)
    return Address(address=f"{local}@{domain}", key=f"{local.casefold()}@{domain}", domain=domain)


def throttle_key(address: Address) -> str:
    """One key for the spellings that usually reach one mailbox; for limits only, never for identity."""
    local, _, domain = address.key.rpartition("@")
    local = local.split("+", 1)[0] or local
    if domain in GMAIL:
        local, domain = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{domain}"


def keyed_hash(key: str) -> str:
    """64 hex digits in place of an address key, where the address itself must not be stored."""
    return hmac.digest(_hash_key(settings.ADDRESS_HASH_KEY), key.encode(), "sha256").hex()


def hide(text: str) -> str:
    """A text that people or servers wrote, without the addresses in it."""
    return WRITTEN.sub("…@…", text)


def mask(address: str) -> str:
    """The address as its owner recognises it and nobody else reads it: `r…@e…e.com`."""
    local, at, domain = address.rpartition("@")
    if not at:
        return "…"
    name, _, rest = domain.partition(".")
    shown = f"{name[:1]}…{name[-1:]}" if len(name) > 2 else f"{name[:1]}…"
    return f"{local[:1]}…@{shown}.{rest}" if rest else f"{local[:1]}…@{shown}"


def _split(text: str, *, typed: str) -> tuple[str, str]:
    """Divide at the @ and refuse what is not one address; `typed` is the text before NFC."""
    is_plain = PLAIN.fullmatch(text) is not None
    if not is_plain and any(unicodedata.category(character) in HIDDEN_CATEGORIES - {"Cf"} for character in text):
        raise InvalidAddress(HIDDEN)
    if text.startswith('"') and '"@' in text:
        raise InvalidAddress(QUOTED)
    if any(character in text for character in "<>,;()"):
        raise InvalidAddress(ONLY_THE_ADDRESS)
    if not is_plain and any(character.isspace() for character in text):
        raise InvalidAddress(SPACES)
    local, at, domain = text.partition("@")
    if not at or "@" in domain:
        raise InvalidAddress(NO_AT)
    if not is_plain and (_hidden(local) or _hidden(character for character in domain if character not in JOINERS)):
        raise InvalidAddress(HIDDEN)
    # NFC turns the Kelvin sign into a K: judge the letters that were typed, not what they became.
    if not typed.partition("@")[0].isascii():
        raise InvalidAddress(NOT_ASCII)
    return local, domain


def _hidden(characters: Iterable[str]) -> bool:
    return any(unicodedata.category(character) in HIDDEN_CATEGORIES for character in characters)


def _check_local(local: str) -> None:
    if '"' in local or "\\" in local:
        raise InvalidAddress(QUOTED)
    if len(local) > MAX_LOCAL:
        raise InvalidAddress(LONG_LOCAL % {"limit": MAX_LOCAL})
    if not DOT_ATOM.fullmatch(local):
        raise InvalidAddress(BAD_LOCAL)


@functools.lru_cache(maxsize=10_000)  # the domains of a list repeat
def _ascii_domain(domain: str) -> str:
    """The domain as A-labels in lower case, without a trailing dot."""
    if domain.startswith("[") or ":" in domain:
        raise InvalidAddress(LITERAL)
    try:
        mapped = idna.uts46_remap(domain, std3_rules=True, transitional=False)
        labels = mapped.removesuffix(".").split(".")
        ascii_labels = [_a_label(label) for label in labels]
    except (idna.IDNAError, UnicodeError):
        # Its own words repeat what was typed.
        raise InvalidAddress(BAD_DOMAIN) from None
    ascii_domain = ".".join(ascii_labels)
    if len(ascii_domain) > MAX_DOMAIN:
        raise InvalidAddress(BAD_DOMAIN)
    # No top-level domain starts with a digit; 127.0.0.1, 0x7f.1 and 2130706433 all do at the end.
    if ascii_labels[-1][0].isdigit():
        raise InvalidAddress(LITERAL)
    if len(ascii_labels) < 2:
        raise InvalidAddress(ONE_LABEL)
    if len(ascii_labels[-1]) < 2:
        raise InvalidAddress(BAD_DOMAIN)
    return ascii_domain


def _a_label(label: str) -> str:
    """One label as an A-label; raises IDNAError or InvalidAddress."""
    if label.isascii() and not label.startswith("xn--"):
        # Real ASCII domains have hyphens in the third and fourth place; IDNA alone would refuse them.
        if len(label) > MAX_LABEL or not ASCII_LABEL.fullmatch(label):
            raise InvalidAddress(BAD_DOMAIN)
        return label
    unicode_label = idna.ulabel(label)
    if _mixes_look_alikes(unicode_label):
        raise InvalidAddress(MIXED)
    return idna.alabel(unicode_label).decode("ascii")


def _mixes_look_alikes(label: str) -> bool:
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in label if letter.isalpha()}
    return len(scripts & LOOK_ALIKES) > 1


def _is_reserved(domain: str) -> bool:
    labels = domain.split(".")
    return labels[-1] in RESERVED_SUFFIXES or ".".join(labels[-2:]) in RESERVED_DOMAINS


@functools.lru_cache(maxsize=8)
def _hash_key(secret: str) -> bytes:
    return hashlib.sha256(b"newsroom.mailkit.addresses.keyed_hash:" + secret.encode()).digest()
