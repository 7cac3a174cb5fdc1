"""IP addresses: the networks around them, and truncating stored ones."""

import ipaddress
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection

KEEP_ORIGIN = timedelta(days=30)
# What one household or office usually shares, and what a provider assigns to one customer: one who has
# a /48 of IPv6 owns 65,536 networks of the narrow kind.
V4_PREFIX, V6_PREFIX = 24, 64
WIDE_V4_PREFIX, WIDE_V6_PREFIX = 24, 48
# What remains of an origin after KEEP_ORIGIN names a provider's region, not a household.
KEPT_V4_PREFIX, KEPT_V6_PREFIX = 24, 48


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


def forget_origins(*, address_hashes: Collection[str], now: datetime) -> int:
    """Delete the network addresses of one person's acts; the acts themselves stay in the chain."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE subscribers_consentorigin AS origin SET ip = NULL, truncated_at = %s
              FROM subscribers_consentevent AS event
             WHERE event.id = origin.event_id AND event.address_hash = ANY(%s)
            """,
            [now, list(address_hashes)],
        )
        return int(cursor.rowcount)
