"""RSS, Atom and JSON feed tell the same, whatever a story contains."""

import html
import json
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from xml.etree import ElementTree

import feedparser
import pytest
from django.test import Client

from articles import publishing
from articles.models import Article, Author, Image, Tag
from articles.tests.conftest import StoryMaker
from publication.models import Publication

HOSTILE = "Gold & <b>silver</b> ]]> \u2028 “quoted” </title><script>x</script>"
SITE = "http://127.0.0.1:8000"


@pytest.mark.parametrize(("path", "version"), [("/feed.rss", "rss20"), ("/feed.atom", "atom10")])
def test_a_feed_reader_gets_every_part(
    client: Client, story: StoryMaker, picture: Image, now: datetime, path: str, version: str
) -> None:
    ann = Author.objects.create(name="Ann & Co", slug="ann")
    body = f"See [there](/articles/other/).\n\n![Pass](image:{picture.pk})"
    article = story(state="published", headline=HOSTILE.replace("\u2028", ""), authors=(ann,), body_markdown=body)
    article.tags.add(Tag.objects.create(name="Metals", slug="metals"))
    response = client.get(path)
    ElementTree.fromstring(response.content)  # noqa: S314  # our own output
    feed = feedparser.parse(response.content)
    assert not feed.bozo
    assert feed.version == version
    entry = feed.entries[0]
    assert entry.link == SITE + article.get_absolute_url()
    assert entry.title == article.headline
    assert [tag.term for tag in entry.tags] == ["News", "Metals"]
    assert entry.author == "Ann & Co"
    text = entry.content[0].value
    assert f'href="{SITE}/articles/other/"' in text
    assert f'src="{SITE}/media/images/0a-960.jpg"' in text
    sizes = f'srcset="{SITE}/media/images/0a-480.jpg 480w, {SITE}/media/images/0a-960.jpg 960w"'
    assert sizes in html.unescape(response.content.decode())


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.atom"])
def test_the_lead_picture_is_named_with_all_that_a_reader_needs(
    client: Client, story: StoryMaker, photograph: Image, media: Path, path: str
) -> None:
    story(state="published", lead_image=photograph)
    story(state="published", lead_image=None)
    feed = feedparser.parse(client.get(path).content)
    assert not feed.bozo
    [without, entry] = feed.entries
    name = photograph.renditions["jpeg"]["1200"]
    [enclosure] = entry.enclosures
    assert (enclosure.href, enclosure.type) == (f"{SITE}/media/{name}", "image/jpeg")
    assert int(enclosure.length) == (media / name).stat().st_size > 0
    [content] = entry.media_content
    assert (content["url"], content["type"], content["medium"]) == (enclosure.href, "image/jpeg", "image")
    assert (content["width"], content["height"], content["filesize"]) == ("1200", "800", enclosure.length)
    assert entry.media_credit[0]["content"] == "Jane Roe/Agency"
    assert b"A mountain" in client.get(path).content
    assert "media_content" not in without
    assert not without.enclosures


def test_the_json_feed_names_the_lead_picture(client: Client, story: StoryMaker, photograph: Image) -> None:
    story(state="published", lead_image=photograph)
    [item] = json.loads(client.get("/feed.json").content)["items"]
    assert item["image"] == f"{SITE}/media/{photograph.renditions['jpeg']['1200']}"


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.atom", "/feed.json"])
def test_a_picture_whose_file_is_gone_breaks_no_feed(
    client: Client, story: StoryMaker, picture: Image, path: str
) -> None:
    story(state="published", lead_image=picture)
    assert b"/media/images/0a-960.jpg" in client.get(path).content


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.atom"])
def test_a_standfirst_is_characters_for_a_feed_reader_and_no_markup(
    client: Client, story: StoryMaker, path: str
) -> None:
    story(state="published", standfirst='1 < 2 <img src="https://evil.test/seen.png"> & <b>so on</b>')
    summary = feedparser.parse(client.get(path).content).entries[0].summary
    assert "<img" not in summary
    assert html.unescape(summary) == '1 < 2 <img src="https://evil.test/seen.png"> & <b>so on</b>'


def test_the_json_feed_tells_the_same(client: Client, story: StoryMaker) -> None:
    article = story(state="published", headline="Gold & more")
    response = client.get("/feed.json")
    assert response["Content-Type"] == "application/feed+json"
    feed = json.loads(response.content)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == f"{SITE}/feed.json"
    item = feed["items"][0]
    assert (item["title"], item["url"]) == ("Gold & more", SITE + article.get_absolute_url())
    assert item["content_html"] == article.body_html
    assert item["date_published"] == "2025-05-06T09:30:00+00:00"


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.atom", "/feed.json"])
def test_only_public_stories_newest_first(client: Client, story: StoryMaker, now: datetime, path: str) -> None:
    for age, name in enumerate(["new-one", "old-one"]):
        story(state="published", headline=name, published_at=now - timedelta(days=age))
    for state in ("draft", "in_review", "withdrawn"):
        story(state=state, headline=f"hidden-{state}")
    content = client.get(path).content.decode()
    assert content.index("new-one") < content.index("old-one")
    assert "hidden-" not in content


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.atom"])
def test_what_xml_cannot_carry_is_left_out(client: Client, story: StoryMaker, path: str) -> None:
    article = story(state="published")
    Article.objects.filter(pk=article.pk).update(standfirst="a\x0bb\x01c\ufffed", headline="x\x0by")
    Publication.objects.current()
    Publication.objects.update(strapline="s\x0ct")
    feed = feedparser.parse(client.get(path).content)
    assert not feed.bozo
    assert feed.entries[0].title == "x y"


def test_a_moved_story_is_the_same_story_to_a_feed_reader(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="published", slug="one")
    before = feedparser.parse(client.get("/feed.atom").content).entries[0]
    article.slug = "two"
    article.save()
    publishing.save_revision(article=article, actor=None, now=now)
    after = feedparser.parse(client.get("/feed.atom").content).entries[0]
    assert after.id == before.id
    assert after.link != before.link


def test_a_feed_reader_that_has_it_all_gets_304_until_something_changes(
    client: Client, story: StoryMaker, now: datetime
) -> None:
    article = story(state="published")
    story(state="published")
    first = client.get("/feed.rss")
    assert parsedate_to_datetime(first["Last-Modified"]) == now
    assert client.get("/feed.rss", headers={"if-none-match": first["ETag"]}).status_code == 304
    assert client.get("/feed.rss", headers={"if-modified-since": first["Last-Modified"]}).status_code == 304
    publishing.withdraw(article=article, reason="Because.", actor=None, now=now + timedelta(hours=1))
    assert client.get("/feed.rss", headers={"if-none-match": first["ETag"]}).status_code == 200
    assert client.get("/feed.rss", headers={"if-modified-since": first["Last-Modified"]}).status_code == 200
