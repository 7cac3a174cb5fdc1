"""The WSGI application in front of Django: responds with cached pages, and caches what Django responds with."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.utils.http import parse_etags, parse_http_date, parse_http_date_safe

from core import caching, page_tags
from newsroom.page_cache import codings, keys
from newsroom.page_cache.keys import Environment, Key
from newsroom.page_cache.store import Entry, Headers, Response, Store, encoded
from newsroom.page_cache.versions import Versions

Application = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]

# What a 304 does not say again.
OF_THE_BODY: Final = frozenset({"content-type", "content-length", "content-encoding"})
# With one of these a page is somebody's own.
PRIVATE: Final = ("no-store", "private")
# A thread that waits longer for another's rendering renders the page itself.
SECONDS_TO_WAIT: Final = 5.0


class PageCache:
    """Wraps Django's application. See `newsroom.page_cache`."""

    def __init__(self, django: Application, *, most_bytes: int) -> None:
        self.django = django
        self.store = Store(most_bytes=most_bytes)
        self.versions = Versions()
        self._renderings: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Respond to a request."""
        key = keys.key(environ)
        epoch = None if key is None else self.versions.current()
        if key is None or epoch is None:
            return self._pass_on(environ, start_response)
        entry = self._cached(key, epoch)
        if entry is None:
            with self._one_at_a_time(key):
                # Another thread may have rendered it meanwhile.
                if (entry := self._cached(key, epoch)) is None:
                    return self._render(key, epoch, environ, start_response)
        return self._respond(key, entry, environ, start_response)

    def _cached(self, key: Key, epoch: int) -> Entry | None:
        entry = self.store.get(key)
        if entry is None or time.time() >= entry.fresh_until or not self.versions.is_fresh(entry, epoch):
            return None
        return entry

    def _respond(
        self, key: Key, entry: Entry, environ: Environment, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if _has_it(entry, environ):
            start_response("304 Not Modified", entry.unchanged)
            return []
        coding = codings.preferred(environ.get("HTTP_ACCEPT_ENCODING", ""))
        return _send(self.store.response(key, entry, coding), environ, start_response)

    def _pass_on(self, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """What Django responds with, uncached. A page for everybody, such as that of a search, is compressed.

        Such a page has no secret that its size could tell to who chooses the words (BREACH): no token, no cookie,
        nothing of a person. What is somebody's own goes out as it is.
        """
        started: list[Any] = []
        result = self.django(environ, lambda *arguments: started.append(arguments))
        status, headers = started[-1][:2]
        if caching.PAGE not in environ or not status.startswith("200") or not _is_cacheable(headers):
            start_response(*started[-1])
            return result
        coding = codings.preferred(environ.get("HTTP_ACCEPT_ENCODING", ""))
        body = codings.encode(_whole(result), coding)
        return _send(encoded(_without_length(headers), body, coding), environ, start_response)

    def _render(
        self, key: Key, epoch: int, environ: Environment, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Have Django respond, after the epoch was read: a page that races with a change is stale at once."""
        started: list[Any] = []
        environ = environ | {caching.WHOLE: True, "QUERY_STRING": keys.query(key)}
        result = self.django(environ, lambda *arguments: started.append(arguments))
        page: page_tags.Page | None = environ.get(caching.PAGE)
        headers: Headers = started[-1][1]
        if page is None or not _is_cacheable(headers):
            start_response(*started[-1])
            return result
        entry = _entry(page, epoch, headers, _whole(result), environ)
        self.store.put(key, entry)
        return self._respond(key, entry, environ, start_response)

    @contextlib.contextmanager
    def _one_at_a_time(self, key: Key) -> Iterator[None]:
        with self._lock:
            rendering = self._renderings.setdefault(key, threading.Lock())
        if not rendering.acquire(timeout=SECONDS_TO_WAIT):
            yield
            return
        try:
            yield
        finally:
            with self._lock:
                self._renderings.pop(key, None)
            rendering.release()


def _entry(page: page_tags.Page, epoch: int, headers: Headers, content: bytes, environ: Environment) -> Entry:
    """The page that Django made after `epoch` was read."""
    values, without_length = dict(headers), _without_length(headers)
    coding = codings.preferred(environ.get("HTTP_ACCEPT_ENCODING", ""))
    return Entry(
        epoch=epoch,
        tags=page.tags,
        fresh_until=page.fresh_until.timestamp() if page.fresh_until else float("inf"),
        etag=values["ETag"],
        modified_at=parse_http_date(values["Last-Modified"]) if "Last-Modified" in values else None,
        headers=without_length,
        unchanged=[line for line in without_length if line[0].lower() not in OF_THE_BODY],
        responses={coding: encoded(without_length, codings.encode(content, coding), coding)},
    )


def _whole(result: Iterable[bytes]) -> bytes:
    try:
        return b"".join(result)
    finally:
        if (close := getattr(result, "close", None)) is not None:
            close()


def _without_length(headers: Headers) -> Headers:
    return [line for line in headers if line[0].lower() != "content-length"]


def _send(response: Response, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", response.headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]


def _is_cacheable(headers: Headers) -> bool:
    values = {name.lower(): value for name, value in headers}
    is_for_everybody = "set-cookie" not in values and values.get("vary") == "Accept-Encoding"
    return is_for_everybody and not any(word in values.get("cache-control", "") for word in PRIVATE)


def _has_it(entry: Entry, environ: Environment) -> bool:
    """Whether the client has this page, as Django decides it (RFC 9110, 13.2.2)."""
    if asked := environ.get("HTTP_IF_NONE_MATCH"):
        if asked == entry.etag:
            return True
        etags = parse_etags(asked)
        return etags == ["*"] or entry.etag.removeprefix("W/") in [etag.removeprefix("W/") for etag in etags]
    if entry.modified_at is None or not (asked := environ.get("HTTP_IF_MODIFIED_SINCE")):
        return False
    since = parse_http_date_safe(asked)
    return since is not None and entry.modified_at <= since
