"""Turns RETURNS_URL into a mailbox to read, and RETURN_DOMAIN into a domain to put in return paths."""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote

from django.core.exceptions import ImproperlyConfigured

from newsroom import env
from postal import config

# scheme -> usual port
PORTS: Final = {"imap": 143, "imaps": 993}
# With the part before the @ it must stay below the 254 bytes of an address.
_DOMAIN = re.compile(r"(?=.{4,180}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


def read(url: str) -> config.Mailbox | None:
    """The mailbox that the URL names, None for none; otherwise ImproperlyConfigured. `tls` as in EMAIL_URL."""
    if not url:
        return None
    parts = env.split_url("RETURNS_URL", url)
    if parts.scheme in {"pop3", "pop3s"}:
        raise ImproperlyConfigured(
            "RETURNS_URL must name a mailbox over IMAP, not POP3: use imaps://, or LMTP (manage.py serve_lmtp)."
        )
    if parts.scheme not in PORTS:
        raise ImproperlyConfigured("RETURNS_URL must begin with imaps:// or imap://.")
    if not (parts.hostname and parts.username and parts.password):
        raise ImproperlyConfigured(
            "RETURNS_URL must name a mailbox, as in imaps://user:password@mail.example.org/INBOX."
        )
    implicit = parts.scheme == "imaps"
    starttls = dict(parse_qsl(parts.query)).get("tls", "0") in env.YES
    return config.Mailbox(
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        username=unquote(parts.username),
        password=unquote(parts.password),
        tls="implicit" if implicit else "starttls" if starttls else "none",
        folder=unquote(parts.path.strip("/")) or "INBOX",
    )


def domain(text: str) -> str:
    """The domain in lower case, empty for none; otherwise ImproperlyConfigured."""
    name = text.strip().lower().removesuffix(".")
    if name and not _DOMAIN.fullmatch(name):
        raise ImproperlyConfigured("RETURN_DOMAIN must be a domain in plain letters, as in bounces.example.org.")
    return name
