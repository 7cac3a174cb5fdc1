"""Cached pages are what Django would answer, byte for byte, and nobody's own page is cached."""

import contextlib
import gzip
import threading
from collections.abc import Iterator

import brotli  # type: ignore[import-untyped]  # it has no annotations
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from articles import paging
from articles.models import Article
from newsroom.tests.pages import Site
from publication.models import Publication
from subscribers.models import Newsletter
from tests.cast import Publish

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = [
    "/", "/articles/story-1/", "/sections/news/", "/authors/staff-writer/", "/feed.rss", "/feed.atom", "/feed.json",
    "/sitemap.xml", "/news-sitemap.xml", "/robots.txt", "/newsletters/", "/newsletters/tech-news/", "/subscribe/",
]  # fmt: skip


@pytest.fixture
def site(publish: Publish, newsletter: Newsletter) -> Iterator[Site]:
    """A site with one story and one newsletter."""
    publish("One")
    with contextlib.closing(Site()) as site:
        yield site


def test_a_cached_page_is_what_django_answers(site: Site) -> None:
    for number, path in enumerate(PAGES, start=1):
        alone = site.uncached(path)
        first, again = site.get(path), site.get(path)
        assert alone.status == "200 OK"
        assert site.asked == number, path
        for page in (first, again):
            assert page.body == alone.body
            assert sorted(page.headers) == sorted(alone.headers)
        seen = {"if_none_match": again.header("ETag")}
        known, known_alone = site.get(path, **seen), site.uncached(path, **seen)
        assert known.status == known_alone.status == "304 Not Modified"
        assert {*known.headers} == {line for line in known_alone.headers if line[0] != "Content-Length"}
        head = site.get(path, method="HEAD")
        assert (head.body, sorted(head.headers)) == (b"", sorted(again.headers))
        assert site.asked == number


def test_each_client_gets_the_coding_that_it_takes(site: Site) -> None:
    alone = site.uncached("/")
    by_brotli = site.get("/", accept_encoding="gzip, deflate, br, zstd")
    by_gzip = site.get("/", accept_encoding="gzip, br;q=0")
    assert brotli.decompress(by_brotli.body) == gzip.decompress(by_gzip.body) == site.get("/").body == alone.body
    assert (by_brotli.header("Content-Encoding"), by_gzip.header("Content-Encoding")) == ("br", "gzip")
    assert int(by_brotli.header("Content-Length")) == len(by_brotli.body) < len(by_gzip.body) < len(alone.body) / 2
    assert site.get("/", accept_encoding="gzip;q=0, *;q=0").body == alone.body
    assert site.asked == 1


def test_a_date_that_the_client_has_is_enough_and_one_is_not_for_another_page(site: Site) -> None:
    page = site.get("/articles/story-1/")
    assert site.get("/articles/story-1/", if_modified_since=page.header("Last-Modified")).status == "304 Not Modified"
    earlier = "Mon, 01 Jan 2024 00:00:00 GMT"
    assert site.get("/articles/story-1/", if_modified_since=earlier).status == "200 OK"
    assert site.get("/", if_none_match=page.header("ETag")).status == "200 OK"
    assert site.get("/", if_none_match=f'"else", {site.get("/").header("ETag")}').status == "304 Not Modified"


def test_counting_clicks_multiplies_nothing(site: Site) -> None:
    pages = {site.get(f"/{query}").body for query in ("", "?utm_source=mail&utm_medium=x", "?fbclid=1", "?&")}
    assert (len(pages), site.asked, len(site.cache.store)) == (1, 1, 1)


def test_the_first_visitors_click_is_in_no_page_of_the_next(
    site: Site, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("Two")
    Publication.objects.update(further_languages=["ru"])
    monkeypatch.setattr(paging, "PAGE_SIZE", 1)
    for path in ("/", "/sections/news/"):
        first = site.get(f"{path}?utm_source=mail")
        assert first.body == site.get(path).body == site.uncached(path).body
        assert b"hreflang" in first.body
    assert b'rel="next" href="?page=2"' in first.body


def test_what_differs_by_its_query_or_is_no_page_is_not_cached(site: Site) -> None:
    paths = [
        "/?page=1&page=1", "/?page=x", "/search/?q=water", "/subscribe/?newsletter=tech-news", "/no-such-page/",
        "/static/site.css", "/preferences/no-token/",
    ]  # fmt: skip
    for path in paths * 2:
        site.get(path)
    assert (site.asked, len(site.cache.store)) == (2 * len(paths), 0)


def test_a_page_for_everybody_is_compressed_though_it_is_not_cached_and_what_is_somebodys_own_is_not(
    site: Site,
) -> None:
    for path in ("/search/?q=water", "/search/suggestions/?q=wa", "/subscribe/?newsletter=tech-news"):
        alone, head = site.uncached(path), site.get(path, method="HEAD", accept_encoding="gzip")
        packed, plain = site.get(path, accept_encoding="gzip"), site.get(path)
        assert gzip.decompress(packed.body) == plain.body == alone.body
        assert sorted(plain.headers) == sorted(alone.headers)
        assert (packed.header("Content-Encoding"), packed.header("Vary")) == ("gzip", "Accept-Encoding")
        assert int(packed.header("Content-Length")) == len(packed.body)
        assert (head.body, sorted(head.headers)) == (b"", sorted(packed.headers))
        known = site.get(path, accept_encoding="gzip", if_none_match=packed.header("ETag"))
        assert (known.status, known.body) == ("304 Not Modified", b"")
    for path, method in {"/preferences/no-token/": "GET", "/subscribe/": "POST", "/admin/login/": "GET"}.items():
        own = site.get(path, method=method, accept_encoding="gzip, br")
        assert "Content-Encoding" not in dict(own.headers), path


def test_who_is_signed_in_and_what_is_posted_goes_to_django(site: Site) -> None:
    site.get("/", cookie="sessionid=abc")
    site.get("/", method="POST")
    site.get("/admin/login/")
    assert (site.asked, len(site.cache.store)) == (3, 0)


def test_a_preview_and_a_withdrawn_story_are_not_cached(site: Site, client: Client) -> None:
    Article.objects.update(state="withdrawn", withdrawal_reason="Because.")
    assert site.get("/articles/story-1/").status == "410 Gone"
    client.force_login(User.objects.create_superuser("ann", password="x"))
    preview = f"/admin/articles/article/{Article.objects.get().pk}/preview/"
    site.get(preview, cookie=f"sessionid={client.cookies['sessionid'].value}")
    assert len(site.cache.store) == 0


def test_what_nobody_asks_for_makes_room(publish: Publish) -> None:
    for number in range(6):
        publish(f"Story {number}")
    Publication.objects.current()
    with contextlib.closing(Site()) as site:
        site.get("/articles/story-1/", accept_encoding="br")
        site.cache.store.most_bytes = most = 3 * site.cache.store.bytes
        for number in range(2, 7):
            site.get(f"/articles/story-{number}/", accept_encoding="br")
            site.get("/articles/story-1/", accept_encoding="br")
        assert site.cache.store.bytes <= most
        assert 1 < len(site.cache.store) < 4
        assert site.asked == 6


def test_one_address_is_made_once_however_many_ask(site: Site) -> None:
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        site.get("/")
        site.close()
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.asked == 1
