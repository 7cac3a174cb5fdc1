"""A shared cache is asked once a minute to drop what has changed, again if it did not answer; off unless configured."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from articles.models import Article
from newsroom.desk import faults
from newsroom.page_settings import Pages, shared_cache
from publication import purging
from publication.page_versions import SharedCache
from tests.cast import Publish

pytestmark = pytest.mark.django_db(transaction=True)


class Provider(HTTPServer):
    """Notes what it is asked, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.asked: list[tuple[str, dict[str, str], Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((f"{self.command} {self.path}", headers, json.loads(body) if body else None))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PURGE = do_POST  # noqa: N815  # the server calls it by this name

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A server on this machine in the provider's place."""
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def place(provider: Provider) -> str:
    return f"127.0.0.1:{provider.server_port}"


def configure(settings: Any, url: str) -> None:
    settings.PAGES = Pages(cache_bytes=1_000_000, shared_caches=(shared_cache(url),))


def test_without_a_cache_nobody_is_asked_and_no_page_says_its_tags(client: Client, publish: Publish) -> None:
    publish("One")
    purging.purge_due(now=timezone.now())
    assert not SharedCache.objects.exists()
    assert not {"Surrogate-Key", "Cache-Tag", "CDN-Cache-Control"} & set(client.get("/").headers)


def test_every_page_says_its_tags_and_how_long_a_cache_may_keep_it(
    client: Client, publish: Publish, settings: Any, place: str
) -> None:
    configure(settings, f"varnish://{place}")
    story = publish("One")
    page = client.get(story.get_absolute_url())
    tags = page["Surrogate-Key"].split()
    assert {f"article:{story.pk}", f"section:{story.section_id}", "publication", "legal"} <= set(tags)
    assert page["Cache-Tag"] == ",".join(tags)
    assert "stale-while-revalidate" in page["CDN-Cache-Control"] == page["Surrogate-Control"]
    assert page["Cache-Control"] == "public, max-age=0, must-revalidate"


def test_cloudflare_is_asked_for_what_changed_at_most_a_hundred_tags_at_once(
    publish: Publish, settings: Any, provider: Provider, place: str
) -> None:
    story = publish("One")
    configure(settings, f"cloudflare://zone:secret@{place}")
    purging.purge_due(now=timezone.now())
    [(asked, headers, body)] = provider.asked
    assert (asked, body) == ("POST /client/v4/zones/zone/purge_cache", {"tags": ["publication"]})
    assert headers["authorization"] == "Bearer secret"
    purging.purge_due(now=timezone.now())
    assert len(provider.asked) == 1
    Article.objects.bulk_create(
        Article(
            headline="x", slug=f"x-{number}", section=story.section, state="published", body_sha256="x",
            published_at=timezone.now(), first_published_at=timezone.now(),
        )
        for number in range(150)
    )  # fmt: skip
    purging.purge_due(now=timezone.now())
    tags = [body["tags"] for _, _, body in provider.asked[1:]]
    assert max(map(len, tags)) <= 100
    assert {"front", "feed", f"section:{story.section_id}"} <= {tag for each in tags for tag in each}


@pytest.mark.parametrize(
    ("url", "asked", "header"),
    [
        ("fastly://service:secret@{}", "POST /service/service/purge", "surrogate-key"),
        ("varnish://{}", "PURGE /", "xkey-softpurge"),
    ],
)
def test_fastly_and_varnish_keep_the_old_page_until_the_new_one_is_there(
    publish: Publish, settings: Any, provider: Provider, place: str, url: str, asked: str, header: str
) -> None:
    configure(settings, url.format(place))
    purging.purge_due(now=timezone.now())
    story = publish("One")
    purging.purge_due(now=timezone.now())
    got, headers, _ = provider.asked[-1]
    assert got == asked
    assert f"article:{story.pk}" in headers[header].split()
    assert headers.get("fastly-soft-purge", "1") == "1"


def test_a_cache_that_refuses_is_asked_again_and_the_desk_sees_it(
    publish: Publish, settings: Any, provider: Provider, place: str
) -> None:
    configure(settings, f"fastly://service:secret@{place}")
    purging.purge_due(now=timezone.now())
    story = publish("One")
    provider.status = 503
    purging.purge_due(now=timezone.now())
    purging.purge_due(now=timezone.now())
    row = SharedCache.objects.get()
    assert (row.failures, row.reason) == (2, "HTTP 503")
    assert any("HTTP 503" in fault.sentence for fault in faults.of_caches())
    provider.status = 200
    purging.purge_due(now=timezone.now())
    assert f"article:{story.pk}" in provider.asked[-1][1]["surrogate-key"].split()
    assert list(faults.of_caches()) == []


@pytest.mark.parametrize("url", ["cloudflare://", "fastly://service@", "akamai://a:b@", "varnish://"])
def test_what_is_no_cache_is_refused_with_the_forms(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SHARED_CACHE must be"):
        shared_cache(url)
