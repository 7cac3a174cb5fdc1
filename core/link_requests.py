"""A request for a page of somebody else's, which can never reach into a network of ours.

The name is resolved here, each of its addresses is judged, and the connection is opened to the address that was
judged: a second answer of the name server changes nothing. Each redirect is judged as the first address was.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from django.conf import settings

TIMEOUT: Final = 5.0  # seconds, for each step
MOST_REDIRECTS: Final = 5
PORTS: Final = {"http": 80, "https": 443}
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# IPv6 networks through which an IPv4 address is reached, which is judged in its place (RFC 6052).
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotPublic(Exception):
    """The address is inside of a network, or none that may be asked."""


class NoSuchHost(Exception):
    """No name server knows the host."""


class NoReply(Exception):
    """The host did not reply as a web server does."""


def status(*, url: str) -> int:
    """The HTTP status at the end of the redirects. HEAD first; GET where that is refused. On failure: see above."""
    for _step in range(MOST_REDIRECTS + 1):
        code, location = _ask("HEAD", url)
        if code >= 400:
            code, location = _ask("GET", url)
        if code not in REDIRECTS or not location:
            return code
        url = urljoin(url, location)
    raise NoReply(f"More than {MOST_REDIRECTS} redirects.")


def _ask(method: str, url: str) -> tuple[int, str]:
    """One request; its status, and where it leads. Of the body nothing is read."""
    parts, port = _split(url)
    host = parts.hostname or ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Pinned(host, port, address=_address(host, port), is_secure=parts.scheme == "https")
    headers = {"User-Agent": f"Newsroom-LinkCheck/1.0 (+{settings.SITE_URL})", "Accept": "*/*", "Connection": "close"}
    try:
        connection.request(method, _quoted(target), headers=headers)
        response = connection.getresponse()
        return response.status, response.headers.get("Location", "")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoReply(type(error).__name__) from error
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was judged before; the host's name is for TLS and the Host header only."""

    def __init__(self, host: str, port: int, *, address: Address, is_secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self.default_port = PORTS["https" if is_secure else "http"]
        self._address, self._is_secure = address, is_secure

    def connect(self) -> None:
        """Open it, with TLS where the scheme asks for it."""
        self.sock = socket.create_connection((str(self._address), self.port), self.timeout)
        if self._is_secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError) as error:
        raise NotPublic(f"{url} is no address of the web.") from error
    if not parts.hostname or parts.username or parts.password:
        raise NotPublic(f"{url} is no address of the web.")
    return parts, port


def _address(host: str, port: int) -> Address:
    """The first address of the host. On failure: NotPublic when any of them is inside of a network."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in {socket.EAI_AGAIN, socket.EAI_FAIL}:
            raise NoReply("No name server replied.") from error
        raise NoSuchHost(host) from error
    except (OSError, UnicodeError) as error:
        raise NoSuchHost(host) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]
    if not addresses or not all(map(is_public, addresses)):
        raise NotPublic(host)
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether everybody on the internet reaches it; also true for the networks of LINK_CHECK_NETWORKS."""
    if any(address in network for network in settings.LINK_CHECK_NETWORKS):
        return True
    return all(one.is_global and not one.is_multicast for one in (address, *_carried(address)))


def _carried(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    carried: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in carried if one is not None]


def _quoted(target: str) -> str:
    """Characters that a request line cannot have, as their UTF-8 bytes."""
    return "".join(
        one if "!" <= one <= "~" else "".join(f"%{byte:02X}" for byte in one.encode("utf-8", "replace"))
        for one in target
    )
