"""The network address of anyone who asks, behind our own proxies."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

# Where an address is needed and a request has none.
UNKNOWN = "0.0.0.0"  # noqa: S104  # nothing listens there


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
