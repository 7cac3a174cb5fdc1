"""IP addresses: finding the reader's behind our proxies, and truncating stored ones."""

import ipaddress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

KEEP_ORIGIN = timedelta(days=30)
# What one household or office usually shares, and what a provider assigns to one customer: one who has
# a /48 of IPv6 owns 65,536 networks of the narrow kind.
V4_PREFIX, V6_PREFIX = 24, 64
WIDE_V4_PREFIX, WIDE_V6_PREFIX = 24, 48
# What remains of an origin after KEEP_ORIGIN names a provider's region, not a household.
KEPT_V4_PREFIX, KEPT_V6_PREFIX = 24, 48


def client_ip(request: HttpRequest) -> str | None:
    """The reader's address as the outermost of our own proxies saw it, else the peer's; None without either.

    TRUSTED_PROXIES proxies are in front and each added one entry to the header that
    CLIENT_ADDRESS_HEADER names, so the entry that many places from the end is theirs to say; everything
    before it is the reader's own claim and is ignored. A header that is missing, too short or names no
    address (RFC 7239 allows "unknown") leaves the peer's address: the limits never have nobody to count.
    """
    proxies: int = settings.TRUSTED_PROXIES
    name: str = settings.CLIENT_ADDRESS_HEADER
    hops = request.headers.get(name, "").split(",") if proxies else []
    claimed = hops[-proxies] if proxies and len(hops) >= proxies else ""
    if name.lower() == "forwarded":
        claimed = _forwarded_for(claimed)
    return plain_ip(claimed) or plain_ip(request.META.get("REMOTE_ADDR", ""))


def _forwarded_for(element: str) -> str:
    """The node of one element of `Forwarded`, as in `for="[2001:db8::1]:4711";proto=https` (RFC 7239, 4)."""
    pairs = (pair.partition("=") for pair in element.split(";"))
    return next((node.strip().strip('"') for key, _, node in pairs if key.strip().lower() == "for"), "")


def plain_ip(text: str) -> str | None:
    """One spelling per address: no port, no zone, no IPv4 inside IPv6. None if it is no address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def network(ip: str) -> str:
    """The /24 or /64 around an address: what one household or office usually shares."""
    return _around(ip, V4_PREFIX, V6_PREFIX)


def wide_network(ip: str) -> str:
    """The /24 or /48 around an address: what a provider gives to one customer."""
    return _around(ip, WIDE_V4_PREFIX, WIDE_V6_PREFIX)


def _around(ip: str, v4_prefix: int, v6_prefix: int) -> str:
    prefix = v4_prefix if ipaddress.ip_address(ip).version == 4 else v6_prefix
    return str(ipaddress.ip_network(f"{ip}/{prefix}", strict=False))


def truncate_origins(*, now: datetime) -> int:
    """Cut the network addresses of acts older than 30 days to their network; return how many were cut."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE subscribers_consentorigin AS origin
               SET ip = host(network(set_masklen(origin.ip, CASE family(origin.ip) WHEN 4 THEN %s ELSE %s END)))::inet,
                   truncated_at = %s
              FROM subscribers_consentevent AS event
             WHERE event.id = origin.event_id AND origin.truncated_at IS NULL AND event.occurred_at < %s
            """,
            [KEPT_V4_PREFIX, KEPT_V6_PREFIX, now, now - KEEP_ORIGIN],
        )
        return int(cursor.rowcount)


def forget_origins(*, address_hash: str, now: datetime) -> int:
    """Delete the network addresses of one person's acts; the acts themselves stay in the chain."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE subscribers_consentorigin AS origin SET ip = NULL, truncated_at = %s
              FROM subscribers_consentevent AS event
             WHERE event.id = origin.event_id AND event.address_hash = %s
            """,
            [now, address_hash],
        )
        return int(cursor.rowcount)
