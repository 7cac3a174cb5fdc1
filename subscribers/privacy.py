"""Network addresses: which one is the reader's, and when it is forgotten."""

import ipaddress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

KEEP_ORIGIN = timedelta(days=30)
V4_PREFIX, V6_PREFIX = 24, 64
# What remains of an origin after KEEP_ORIGIN names a provider's region, not a household.
KEPT_V4_PREFIX, KEPT_V6_PREFIX = 24, 48


def client_ip(request: HttpRequest) -> str | None:
    """The reader's address as the outermost of our own proxies saw it; None if it cannot be known.

    TRUSTED_PROXIES proxies stand in front and each appended one entry to
    X-Forwarded-For, so the entry that many places from the end is theirs to say;
    everything before it is the reader's own claim and is ignored.
    """
    proxies: int = settings.TRUSTED_PROXIES
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if proxies else []
    seen = hops[-proxies] if proxies and len(hops) >= proxies else request.META.get("REMOTE_ADDR", "")
    return plain_ip(seen)


def plain_ip(text: str) -> str | None:
    """One spelling per address: no port, no zone, no IPv4 inside IPv6. None if it is no address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def network(ip: str) -> str:
    """The /24 or /64 around an address: what one household or office usually shares."""
    prefix = V4_PREFIX if ipaddress.ip_address(ip).version == 4 else V6_PREFIX
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
