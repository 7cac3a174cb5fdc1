"""What the environment says of cached pages: those of each web process, and those of a shared cache in front of it."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from newsroom import env
from publication.cache_config import CacheAddress

HOSTS: Final = {"cloudflare": "https://api.cloudflare.com", "fastly": "https://api.fastly.com"}
FORMS: Final = "SHARED_CACHE must be cloudflare://ZONE:TOKEN@, fastly://SERVICE:TOKEN@ or varnish://HOST:PORT."


@dataclass(frozen=True, slots=True)
class Pages:
    """`cache_bytes`: how much each web process stores; `shared_caches`: what is asked to drop what has changed."""

    cache_bytes: int
    shared_caches: tuple[CacheAddress, ...] = ()


def read(*, testing: bool) -> Pages:
    """On failure: ImproperlyConfigured."""
    if testing:
        return Pages(cache_bytes=64 * 1024 * 1024)
    caches = tuple(shared_cache(url) for url in env.names("SHARED_CACHE", []))
    return Pages(cache_bytes=env.number("PAGE_CACHE_MB", 64, least=1) * 1024 * 1024, shared_caches=caches)


def shared_cache(url: str) -> CacheAddress:
    """Another host behind the @ is asked instead of the provider's, over HTTP."""
    parts = env.split_url("SHARED_CACHE", url)
    place = f"http://{parts.hostname}:{parts.port or 80}" if parts.hostname else HOSTS.get(parts.scheme, "")
    account, token = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme not in (*HOSTS, "varnish") or not place or (parts.scheme in HOSTS and not (account and token)):
        raise ImproperlyConfigured(FORMS)
    return CacheAddress(kind=parts.scheme, url=place, account=account, token=token)
