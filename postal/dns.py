"""Asks the DNS for a few records, briefly, and remembers them for a while."""

from __future__ import annotations

import time
from typing import Final

import dns.exception
import dns.resolver
from django.conf import settings
from django.core.cache import cache

# Seconds for one question, and for all questions about one sender: a page waits for them.
TIMEOUT, DEADLINE = 1.5, 3.0
KEEP, KEEP_SILENCE = 600, 60
_SILENT: Final = "silent"


class Silent(Exception):
    """The DNS did not answer, or not as it should. Nothing is known of the name."""


class Questions:
    """The questions about one sender, which share a deadline."""

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + DEADLINE

    def records(self, name: str, kind: str) -> list[str]:
        """The records of this kind as text; empty if there are none. On failure: Silent."""
        key = f"dns {kind} {name}".replace(" ", ":")
        records = cache.get(key)
        if records is None:
            records = self._ask(name, kind)
            cache.set(key, records, KEEP_SILENCE if records == _SILENT else KEEP)
        if records == _SILENT:
            raise Silent(name)
        return list(records)

    def _ask(self, name: str, kind: str) -> list[str] | str:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            return _SILENT
        try:
            response = _resolver().resolve(name, kind, lifetime=min(TIMEOUT, left), search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError):
            return _SILENT
        return [_text(record) for record in response]


def _text(record: object) -> str:
    """A TXT record in one piece; any other as it is written."""
    strings = getattr(record, "strings", None)
    return b"".join(strings).decode("utf-8", "replace") if strings else str(record)


def _resolver() -> dns.resolver.Resolver:
    if not settings.DNS_SERVER:
        return dns.resolver.Resolver()
    host, _colon, port = settings.DNS_SERVER.rpartition(":")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [host or settings.DNS_SERVER]
    resolver.port = int(port) if host else 53
    return resolver
