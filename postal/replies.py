"""One answer of an SMTP server, and what may be kept of it."""

import re
from typing import Final, NamedTuple

REASON_LENGTH: Final = 200

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_ADDRESS = re.compile(r"""[^\s<>()\[\],;:"']+@[^\s<>()\[\],;:"']+|"[^"]*"@\S+""")
# What the common servers call their copy: Postfix, Exim, sendmail, Exchange, qmail.
_REMOTE_ID = re.compile(
    r"(?:queued as|id=|queued mail for delivery id|\bqp)\s*([A-Za-z0-9_.:<>@-]{4,120})",
    re.IGNORECASE,
)


class Reply(NamedTuple):
    """One complete answer of an SMTP server. `text` holds its lines without their codes, one per line."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 2034), or an empty string."""
        match = _ENHANCED.match(self.text)
        return match[1] if match else ""

    @property
    def label(self) -> str:
        """ "550 5.7.26", or "550" without an enhanced code."""
        return f"{self.code} {self.enhanced}".strip()


def clean(text: str) -> str:
    """A server's words as one printable line without an address, at most 200 characters."""
    masked = _ADDRESS.sub("(address)", text) if "@" in text else text
    if not masked.isprintable():
        masked = "".join(character if character.isprintable() else " " for character in masked)
    return " ".join(masked.split())[:REASON_LENGTH]


def remote_id(text: str) -> str:
    """The name that the server gave to the copy it accepted, or an empty string."""
    match = _REMOTE_ID.search(text)
    return match[1].strip("<>.") if match else ""
