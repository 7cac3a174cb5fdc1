"""Asks the WSGI application for pages, as a server does, beside Django alone."""

import io
from typing import Any, NamedTuple
from unittest import mock

from django.core.wsgi import get_wsgi_application

from newsroom.page_cache.serving import PageCache
from publication import shared_parts


class Answer(NamedTuple):
    """What a client gets."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """One of its headers."""
        return dict(self.headers)[name]


class Site:
    """The site with cached pages and without; counts what Django was asked."""

    def __init__(self, *, most_bytes: int = 1_000_000) -> None:
        self.django = get_wsgi_application()
        self.asked = 0
        self.cache = PageCache(self._counted, most_bytes=most_bytes)

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Through the page cache."""
        return _answer(self.cache, path, method, headers)

    def uncached(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """From Django itself, in a process that has made nothing yet."""
        with mock.patch.object(shared_parts, "_process", shared_parts.Process()):
            return _answer(self.django, path, method, headers)

    def close(self) -> None:
        """This thread's connection to Redis."""
        self.cache.versions.close()

    def _counted(self, environ: Any, start_response: Any) -> Any:
        self.asked += 1
        return self.django(environ, start_response)


def _answer(application: Any, path: str, method: str, headers: dict[str, str]) -> Answer:
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": "",
        "SERVER_NAME": "testserver", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "testserver",
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.version": (1, 0),
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False, "REMOTE_ADDR": "192.0.2.1",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }  # fmt: skip
    started: list[Any] = []
    result = application(environ, lambda *arguments: started.append(arguments))
    try:
        body = b"".join(result)
    finally:
        getattr(result, "close", lambda: None)()
    return Answer(started[-1][0], started[-1][1], body)
