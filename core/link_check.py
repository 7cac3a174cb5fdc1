"""Whether the links of a text lead somewhere: asked by the worker, politely, and remembered for a while.

A page that needs the verdicts calls `core.tasks.links`, which has the unknown ones looked up. The worker's task calls
`work`. The verdicts and the list of what is still to be asked live in Redis; both may be lost, and are then
asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urldefrag, urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core import link_requests, redis_client

# How long a verdict counts, in seconds: a page that lives today lives tomorrow, one that is dead may be mended soon.
KEEP: Final = {"alive": 86_400, "dead": 3_600, "doubtful": 900}
# One host is asked at most once in this time, by all workers together.
HOST_PAUSE_MS: Final = 1_000
# A run of `work` ends after this; the task then queues its successor, so that no process is held for long.
RUN_SECONDS: Final = 20.0
# The links of a text that are looked up; further ones are not.
MOST_LINKS: Final = 200
GONE: Final = frozenset({404, 410})

_redis = redis_client.CircuitBreaker(consequence="links are not looked up.")


class Verdict(StrEnum):
    """What is known of an address."""

    ALIVE = "alive"
    # There is no such page or no such host.
    DEAD = "dead"
    # It did not answer as a page does: too slow, refused to a program, an error of its own.
    DOUBTFUL = "doubtful"
    # Not looked up: an address inside of a network, or none that a program may ask.
    REFUSED = "refused"
    PENDING = "pending"


SENTENCES: Final[dict[str, str | Promise]] = {
    Verdict.ALIVE: _("The page is there."),
    Verdict.DEAD: _("There is no such page."),
    Verdict.DOUBTFUL: _("The page did not answer. Open it yourself."),
    Verdict.REFUSED: _("This address is not public, so readers cannot open it."),
    Verdict.PENDING: _("Not looked up yet."),
}


@dataclass(frozen=True, slots=True)
class Link:
    """An address and what is known of it."""

    url: str
    verdict: Verdict

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return str(SENTENCES[self.verdict])


class _Links(HTMLParser):
    """Collects where the links of a text lead."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.urls: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address of a link to the web."""
        href = dict(attrs).get("href") or ""
        if tag == "a" and href.lower().startswith(("http://", "https://")):
            self.urls[urldefrag(href).url] = None


def links_in(html: str) -> list[str]:
    """The web addresses that the links of this HTML lead to, each once, without fragments."""
    parser = _Links()
    parser.feed(html)
    parser.close()
    return list(parser.urls)[:MOST_LINKS]


def verdicts(*, urls: Iterable[str]) -> list[Link]:
    """What is known of these addresses now; nothing is looked up here."""
    wanted = list(urls)
    keys = [_key(url) for url in wanted]
    stored = (_redis.ask(lambda client: client.mget(keys)) if keys else None) or [None] * len(wanted)
    return [
        Link(url, Verdict(value.decode()) if isinstance(value, bytes) else Verdict.PENDING)
        for url, value in zip(wanted, stored, strict=True)
    ]


def ask(*, urls: Iterable[str]) -> bool:
    """Put the addresses of which nothing is known on the worker's list; return whether the task is to be queued."""
    unknown = [link.url for link in verdicts(urls=urls) if link.verdict is Verdict.PENDING]
    return bool(unknown) and bool(_redis.ask(lambda client: client.sadd(_waiting(), *unknown)))


def work(*, seconds: float = RUN_SECONDS) -> bool:
    """Look up what is on the list, for `seconds` at most; return whether something is left.

    May run any number of times, at once or again.
    """
    ends_at = time.monotonic() + seconds
    client = redis_client.connect()
    while time.monotonic() < ends_at:
        taken = client.spop(_waiting())
        if not isinstance(taken, bytes):
            return False
        url = taken.decode()
        if client.set(_host_key(url), 1, nx=True, px=HOST_PAUSE_MS):
            look_up(url=url)
        else:
            client.sadd(_waiting(), url)
            time.sleep(HOST_PAUSE_MS / 5_000)
    return True


def look_up(*, url: str) -> Verdict:
    """Ask for the page and store the verdict. Takes at most a few times `link_requests.TIMEOUT`."""
    verdict = _verdict(url)
    redis_client.connect().set(_key(url), verdict.value, ex=KEEP.get(verdict.value, KEEP["dead"]))
    return verdict


def _verdict(url: str) -> Verdict:
    try:
        status = link_requests.status(url=url)
    except link_requests.NotPublic:
        return Verdict.REFUSED
    except link_requests.NoSuchHost:
        return Verdict.DEAD
    except link_requests.NoReply:
        return Verdict.DOUBTFUL
    if status in GONE:
        return Verdict.DEAD
    return Verdict.ALIVE if status < 400 else Verdict.DOUBTFUL


def _key(url: str) -> str:
    return redis_client.key("links", "verdict", sha256(url.encode()).hexdigest())


def _waiting() -> str:
    return redis_client.key("links", "waiting")


def _host_key(url: str) -> str:
    return redis_client.key("links", "host", (urlsplit(url).hostname or "")[:255])
