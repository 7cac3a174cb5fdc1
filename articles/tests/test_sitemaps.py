"""Crawlers get every public page and nothing else, in the form that the protocols ask for."""

from datetime import timedelta
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from articles import sitemaps
from articles.models import Article, Author, Image, Section, Tag
from articles.tests.conftest import StoryMaker

SITE = "http://127.0.0.1:8000"
NAMES = {
    "s": "http://www.sitemaps.org/schemas/sitemap/0.9",
    "i": "http://www.google.com/schemas/sitemap-image/1.1",
    "n": "http://www.google.com/schemas/sitemap-news/0.9",
}


def locations(client: Client, path: str) -> list[str]:
    response = client.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/xml; charset=utf-8"
    root = ElementTree.fromstring(response.content)  # noqa: S314  # our own output
    return [each.text or "" for each in root.iterfind(".//s:loc", NAMES)]


def test_the_sitemap_has_every_public_page_once(client: Client, story: StoryMaker) -> None:
    ann = Author.objects.create(name="Ann", slug="ann")
    Author.objects.create(name="Idle", slug="idle")
    Section.objects.create(name="Empty", slug="empty")
    story(state="published", slug="one", authors=(ann,)).tags.add(Tag.objects.create(name="Gold", slug="gold"))
    story(state="published", slug="two", authors=(ann,))
    for state in ("draft", "in_review", "withdrawn"):
        story(state=state)
    assert locations(client, "/sitemap.xml") == [
        f"{SITE}{path}"
        for path in (
            "/",
            "/corrections/",
            "/sections/news/",
            "/tags/gold/",
            "/authors/ann/",
            "/articles/one/",
            "/articles/two/",
        )
    ]


def test_lastmod_is_a_w3c_date_with_a_zone(client: Client, story: StoryMaker) -> None:
    story(state="published")
    assert "<lastmod>2025-05-06T09:30:00+00:00</lastmod>" in client.get("/sitemap.xml").content.decode()


def test_a_long_sitemap_is_divided(client: Client, story: StoryMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemaps, "FILE_LENGTH", 2)
    for number in range(5):
        story(state="published", slug=f"s{number}")
    parts = locations(client, "/sitemap.xml")
    assert parts[0] == f"{SITE}/sitemap-1.xml"
    assert f"{SITE}/" in locations(client, "/sitemap-1.xml")
    files = [[each for each in locations(client, part.removeprefix(SITE)) if "/articles/" in each] for part in parts]
    assert [each for file in files for each in file] == [f"{SITE}/articles/s{number}/" for number in range(5)]
    assert max(map(len, files)) == 2
    beyond = Article.objects.latest("pk").pk
    for number in (0, beyond, 10**30):
        assert client.get(f"/sitemap-{number}.xml").status_code == 404


def test_both_sitemaps_have_the_lead_pictures_and_ask_no_more_for_many(
    client: Client, story: StoryMaker, picture: Image
) -> None:
    def asked(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        return len(queries)

    recent = timezone.now() - timedelta(hours=1)
    story(state="published", lead_image=picture, published_at=recent)
    paths = ("/sitemap.xml", "/news-sitemap.xml")
    before = [asked(path) for path in paths]
    for _number in range(3):
        story(state="published", lead_image=picture, published_at=recent)
    assert [asked(path) for path in paths] == before
    for path in paths:
        root = ElementTree.fromstring(client.get(path).content)  # noqa: S314  # our own output
        pictures = [each.text for each in root.iterfind(".//i:image/i:loc", NAMES)]
        assert pictures == [f"{SITE}/media/images/0a-960.jpg"] * 4, path


def test_the_news_sitemap_has_two_days(client: Client, story: StoryMaker) -> None:
    today = timezone.now()
    story(state="published", slug="fresh", headline="A & B <c>", published_at=today - timedelta(hours=47))
    story(state="published", slug="stale", published_at=today - timedelta(hours=49))
    assert locations(client, "/news-sitemap.xml") == [f"{SITE}/articles/fresh/"]
    root = ElementTree.fromstring(client.get("/news-sitemap.xml").content)  # noqa: S314  # our own output
    news = root.find(".//n:news", NAMES)
    assert news is not None
    assert news.findtext("n:title", namespaces=NAMES) == "A & B <c>"
    assert news.findtext("n:publication/n:language", namespaces=NAMES) == "en"


def test_a_broken_headline_cannot_break_the_news_sitemap(client: Client, story: StoryMaker) -> None:
    article = story(state="published", published_at=timezone.now() - timedelta(hours=1))
    Article.objects.filter(pk=article.pk).update(headline="x\x0by\ufffe")
    assert len(locations(client, "/news-sitemap.xml")) == 1


def test_robots_may_read_stories_and_not_what_is_personal(client: Client, db: None) -> None:
    rules = RobotFileParser()
    response = client.get("/robots.txt")
    assert response["Content-Type"].startswith("text/plain")
    rules.parse(response.content.decode().splitlines())
    assert rules.can_fetch("Googlebot", f"{SITE}/articles/one/")
    for path in ("/admin/", "/preferences/abc/", "/confirm/abc/", "/unsubscribe/abc/"):
        assert not rules.can_fetch("Googlebot", SITE + path)
    assert rules.site_maps() == [f"{SITE}/sitemap.xml", f"{SITE}/news-sitemap.xml"]


def test_language_models_find_sections_public_stories_and_whole_texts(client: Client, story: StoryMaker) -> None:
    story(state="published", slug="one", headline="Gold")
    story(headline="Hidden")
    text = client.get("/llms.txt").content.decode()
    assert text.startswith("# ")
    assert f"- [News]({SITE}/sections/news/)" in text
    assert f"- [Gold]({SITE}/articles/one/)" in text
    assert f"({SITE}/feed.json)" in text
    assert "Hidden" not in text
