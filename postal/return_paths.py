"""Variable envelope return paths: bounces+<token>@RETURN_DOMAIN, another one for each copy.

The token is the delivery's uuid and a truncated HMAC over it, in hexadecimal: digits and letters
that survive a server which folds the case. With its prefix it is 60 bytes of the 64 that a local
part may have (RFC 5321 4.5.3.1.1); base32 would be 10 shorter and twice as long in the making.
"""

import functools
import hashlib
import hmac
import re
import uuid
from typing import Final

from django.conf import settings

PREFIX: Final = "bounces+"
MAC_OCTETS: Final = 10  # 80 bits
_LENGTH: Final = 2 * (16 + MAC_OCTETS)
# Also inside an address that a forwarder has rewritten (SRS), and behind a signature (BATV).
_TOKEN: Final = re.compile(rf"bounces\+([0-9a-f]{{{_LENGTH}}})", re.IGNORECASE)


def address(*, delivery_uuid: uuid.UUID, domain: str) -> str:
    """The envelope sender of one copy."""
    identifier = delivery_uuid.bytes
    return f"{PREFIX}{(identifier + _mac(identifier, settings.SECRET_KEY)).hex()}@{domain}"


def tokens_in(text: str) -> list[str]:
    """Everything in `text` that has the form of a token, genuine or not."""
    return _TOKEN.findall(text)


def read(token: str) -> uuid.UUID | None:
    """The delivery of a genuine token, signed with SECRET_KEY or one of its fallbacks; None for any other text."""
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return None
    identifier, mac = raw[:16], raw[16:]
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    genuine = [hmac.compare_digest(mac, _mac(identifier, key)) for key in keys]
    return uuid.UUID(bytes=identifier) if any(genuine) else None


def _mac(identifier: bytes, secret: str) -> bytes:
    mac = _keyed(secret).copy()
    mac.update(identifier)
    return mac.digest()[:MAC_OCTETS]


@functools.lru_cache(maxsize=8)
def _keyed(secret: str) -> hmac.HMAC:
    """The keyed hash at its start, to be copied: deriving it takes longer than using it."""
    key = hashlib.sha256(f"newsroom.digests.returns.verp:{secret}".encode()).digest()
    return hmac.new(key, digestmod=hashlib.sha256)
