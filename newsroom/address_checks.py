"""System checks of addresses in the environment: the site's own, and those of a Redis on another machine."""

import ipaddress
import re
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  # Django's own name for it

# A name in ASCII, or an address with dots or colons.
HOST: Final = re.compile(r"[a-z0-9.:_-]+")


@register(Tags.urls)
def site(**_: Any) -> list[CheckMessage]:
    """One error unless SITE_URL is a scheme and a host, perhaps with a port, and nothing else.

    Every page, feed and mail puts paths of its own behind it.
    """
    if _is_site(settings.SITE_URL):
        return []
    hint = (
        "Write it as in https://news.example.org, in small letters: no path, no query, no user name. "
        "The site needs a host name of its own; a name in other letters is written in its xn-- form."
    )
    return [Error("SITE_URL is not the address of a whole site.", hint=hint, id="newsroom.E012")]


@register(Tags.security)
def redis_passwords(**_: Any) -> list[CheckMessage]:
    """In production, one error for each variable that names a Redis on another machine and no password."""
    hint = (
        "Set a password on that server (requirepass, or a user of its ACL) and write it into %s, as in "
        "rediss://:password@redis.example.org:6379/0. Characters such as / and @ are written %%2F and %%40."
    )
    return [
        Error(
            f"The Redis of {name} has no password: anyone who reaches it can queue work.",
            hint=hint % name,
            id="newsroom.E013",
        )
        for name, parts in _remote()
        if not settings.DEBUG and not parts.password
    ]


@register(Tags.security, deploy=True)
def redis_in_the_clear(**_: Any) -> list[CheckMessage]:
    """One warning for each variable that names a Redis on another machine and no TLS."""
    hint = "Use rediss:// in %s, unless the network between the machines is encrypted already."
    return [
        Warning(f"What goes to the Redis of {name} is not encrypted.", hint=hint % name, id="newsroom.W014")
        for name, parts in _remote()
        if parts.scheme == "redis"
    ]


def _is_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_whole = url == f"{parts.scheme}://{parts.netloc}" and parts.scheme in {"http", "https"}
    return is_whole and bool(HOST.fullmatch(parts.hostname or "")) and "@" not in url


def _remote() -> list[tuple[str, SplitResult]]:
    """(variable, its parts) of what is on another machine; a cache on the same server once."""
    broker, cache = urlsplit(settings.REDIS_URL), urlsplit(settings.CACHE_URL)
    named = [("REDIS_URL", broker)]
    if cache[:2] != broker[:2]:
        named.append(("CACHE_URL", cache))
    return [(name, parts) for name, parts in named if parts.scheme != "unix" and not _is_here(parts.hostname or "")]


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}
