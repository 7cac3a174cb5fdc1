"""Videos, sounds and charts of others: whose players a story may show, and under which address.

Nothing of theirs is loaded with the page. A reader sees a link, and, with JavaScript, a button that says what
will be loaded from whom. The frame's address is made here from the parts of the address that an editor typed,
and the page's Content-Security-Policy names only the origins of the players on it. See decision 0113.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from django.conf import settings

_YOUTUBE_ID: Final = re.compile(r"[A-Za-z0-9_-]{6,20}")
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose player it is: its hosts, the origin of its frame, and how the frame's path follows from an address."""

    name: str
    hosts: frozenset[str]
    origin: str
    frame: Callable[[str, dict[str, list[str]]], str | None]
    shape: str = "wide"


@dataclass(frozen=True, slots=True)
class Embed:
    """One thing to show: where it lives, and its player, if a provider that is allowed here has one."""

    url: str
    host: str
    provider: Provider | None = None
    frame_url: str = ""


def _youtube(path: str, query: dict[str, list[str]]) -> str | None:
    first, _, rest = path.strip("/").partition("/")
    number = query.get("v", [""])[0] if first == "watch" else rest if first in {"embed", "live", "shorts"} else first
    return f"/embed/{number}" if _YOUTUBE_ID.fullmatch(number) and number != "watch" else None


def _vimeo(path: str, _query: dict[str, list[str]]) -> str | None:
    number = path.strip("/").removeprefix("video/")
    return f"/video/{number}?dnt=1" if _NUMBER.fullmatch(number) else None


def _soundcloud(path: str, _query: dict[str, list[str]]) -> str | None:
    return f"/player/?url={quote(f'https://soundcloud.com{path}', safe='')}" if path.count("/") >= 2 else None


def _spotify(path: str, _query: dict[str, list[str]]) -> str | None:
    item = re.fullmatch(r"/(?:embed/)?((?:episode|show|track|album|playlist)/[A-Za-z0-9]{10,40})", path)
    return f"/embed/{item[1]}" if item else None


def _datawrapper(path: str, _query: dict[str, list[str]]) -> str | None:
    item = re.fullmatch(r"/([A-Za-z0-9]{5})(?:/[0-9]{0,4}/?)?", path)
    return f"/{item[1]}/" if item else None


PROVIDERS: Final[dict[str, Provider]] = {
    "youtube": Provider(
        "YouTube",
        frozenset({"youtube.com", "m.youtube.com", "youtu.be", "youtube-nocookie.com"}),
        "https://www.youtube-nocookie.com",
        _youtube,
    ),
    "vimeo": Provider("Vimeo", frozenset({"vimeo.com", "player.vimeo.com"}), "https://player.vimeo.com", _vimeo),
    "soundcloud": Provider(
        "SoundCloud", frozenset({"soundcloud.com"}), "https://w.soundcloud.com", _soundcloud, shape="low"
    ),
    "spotify": Provider("Spotify", frozenset({"open.spotify.com"}), "https://open.spotify.com", _spotify, shape="low"),
    "datawrapper": Provider(
        "Datawrapper", frozenset({"datawrapper.dwcdn.net"}), "https://datawrapper.dwcdn.net", _datawrapper
    ),
}


def read(url: str) -> Embed:
    """What an address leads to; without a provider where it is none of ours, or where it is no single item."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    for key, provider in PROVIDERS.items():
        if key in settings.EMBED_PROVIDERS and host in provider.hosts:
            if path := provider.frame(parts.path, parse_qs(parts.query)):
                return Embed(url=url, host=host, provider=provider, frame_url=provider.origin + path)
            break
    return Embed(url=url, host=host)
