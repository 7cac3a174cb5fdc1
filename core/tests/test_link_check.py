"""Links are looked up by the worker: alive, dead or doubtful, never inside of a network, once per host and second."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from core import link_check, link_requests, tasks
from core.link_check import Verdict

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
STATUS = {"/alive": 200, "/gone": 410, "/missing": 404, "/tired": 503, "/no-head": 405, "/moved": 301, "/loop": 302}
LOCATION = {"/moved": "/alive", "/loop": "/loop", "/inside": "http://10.0.0.1/", "/file": "file:///etc/passwd"}


class Site(BaseHTTPRequestHandler):
    """Somebody else's site; it remembers what it was asked."""

    asked: list[tuple[str, str]] = []

    def do_HEAD(self) -> None:
        self.asked.append((self.command, self.path))
        status = 200 if self.path == "/no-head" and self.command == "GET" else STATUS.get(self.path, 302)
        self.send_response(status)
        if self.path in LOCATION:
            self.send_header("Location", LOCATION[self.path])
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815  # as the server calls it

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(settings: Settings) -> Iterator[str]:
    settings.LINK_CHECK_NETWORKS = [LOOPBACK]
    Site.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_what_becomes_of_each_link(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_requests, "TIMEOUT", 1.0)
    cases = {
        "/alive": Verdict.ALIVE, "/moved": Verdict.ALIVE, "/no-head": Verdict.ALIVE, "/missing": Verdict.DEAD,
        "/gone": Verdict.DEAD, "/tired": Verdict.DOUBTFUL, "/loop": Verdict.DOUBTFUL, "/inside": Verdict.REFUSED,
        "/file": Verdict.REFUSED,
    }  # fmt: skip
    verdicts = {path: link_check.look_up(url=f"{site}{path}") for path in cases}
    assert verdicts == cases
    assert ("GET", "/alive") not in Site.asked, "HEAD is enough where it succeeds"
    assert link_check.look_up(url="http://no-such-host.invalid/") in {Verdict.DEAD, Verdict.DOUBTFUL}
    assert link_check.look_up(url="http://me:secret@127.0.0.1/") == Verdict.REFUSED


def test_which_addresses_are_public() -> None:
    inside = (
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
        "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1",
    )  # fmt: skip
    assert [one for one in inside if link_requests.is_public(ipaddress.ip_address(one))] == []
    outside = ("93.184.216.34", "2606:2800:220:1::", "64:ff9b::5db8:d822")
    assert all(link_requests.is_public(ipaddress.ip_address(one)) for one in outside)


def test_the_connection_goes_to_the_address_that_was_judged(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers differently the second time changes nothing, and one bad address is enough."""
    port = int(site.rpartition(":")[2])
    resolve, replies = socket.getaddrinfo, ["127.0.0.1"]

    def rebinding(host: str, *args: Any, **more: Any) -> Any:
        if host != "rebinding.example":
            return resolve(host, *args, **more)
        return [entry for reply in [replies.pop()] for name in reply.split() for entry in resolve(name, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert link_check.look_up(url=f"http://rebinding.example:{port}/alive") == Verdict.ALIVE
    assert replies == []
    replies.append("127.0.0.1 10.0.0.1")
    assert link_check.look_up(url=f"http://rebinding.example:{port}/alive") == Verdict.REFUSED


def test_the_worker_asks_once_and_one_host_not_more_than_once_in_a_second(site: str) -> None:
    html = (
        f'<p><a href="{site}/alive#top">a</a><a href="{site}/alive">b</a><a href="{site}/gone">c</a><a href="/x">d</a>'
    )
    urls = link_check.links_in(html)
    assert urls == [f"{site}/alive", f"{site}/gone"]
    assert link_check.ask(urls=urls)
    assert {link.verdict for link in link_check.verdicts(urls=urls)} == {Verdict.PENDING}
    begun = time.monotonic()
    tasks.check_links()
    assert time.monotonic() - begun > 0.9
    assert [link.verdict for link in link_check.verdicts(urls=urls)] == [Verdict.ALIVE, Verdict.DEAD]
    asked = len(Site.asked)
    assert not link_check.ask(urls=urls)
    tasks.check_links()
    assert len(Site.asked) == asked
