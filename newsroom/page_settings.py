"""What the environment says of kept pages: in the memory of each web process, and in a shared cache in front of it."""

from dataclasses import dataclass

from newsroom import env


@dataclass(frozen=True, slots=True)
class Pages:
    """`cache_bytes`: how much each web process keeps."""

    cache_bytes: int


def read(*, testing: bool) -> Pages:
    """On failure: ImproperlyConfigured."""
    return Pages(cache_bytes=1024 * 1024 * (64 if testing else env.number("PAGE_CACHE_MB", 64, least=1)))
