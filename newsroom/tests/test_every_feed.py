"""The feeds of the site, of each section, tag and author, and of each newsletter: valid, whole, and asked for once."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import feedparser
import pytest
from django.test import Client

from articles import publishing
from articles.models import Article, Image, Section, Tag
from articles.tests.conftest import media, photograph  # noqa: F401  # fixtures of this file too
from digests import composing, freezing
from digests.models import Issue
from newsroom.tests import feed_rules
from subscribers.models import Cadence, Newsletter
from tests.cast import Publish

SITE = "http://127.0.0.1:8000"
LISTS = ["/", "/sections/news/", "/tags/gold/", "/authors/staff-writer/", "/newsletters/tech-news/", "/corrections/"]
HOSTILE = "Gold & <b>silver</b> ]]> “quoted” </title><script>x</script>"


@pytest.fixture
def stories(publish: Publish, newsletter: Newsletter, photograph: Image, now: datetime) -> list[Article]:  # noqa: F811  # the fixture of that name
    """Two in the section, under the tag and of the author, and both in an issue that was sent."""
    Newsletter.objects.update(language="en")
    body = f"See [there](/articles/other/) and[^1] [more](#x).\n\n![Pass](image:{photograph.pk})\n\n[^1]: Note."
    written = [
        publish(HOSTILE, now.replace(hour=4), lead_image=photograph, body_markdown=body),
        publish("Second", now.replace(hour=5), standfirst="1 < 2 & <i>so on</i>"),
    ]
    for article in written:
        article.tags.add(Tag.objects.get_or_create(name="Gold", slug="gold")[0])
    written[0].corrections.create(text="Gold & silver: < 2, not 3.", corrected_at=now)
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)
    Issue.objects.filter(pk=issue.pk).update(introduction="Good *morning*, see [us](/).")
    issue.refresh_from_db()
    freezing.freeze(issue=issue, now=now)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.SENT, audience_count=1, planned_at=now)
    return written


@pytest.mark.usefixtures("stories")
def test_every_feed_keeps_the_rules_of_the_feed_validator(client: Client) -> None:
    for path in LISTS:
        for kind in ("rss", "atom"):
            response = client.get(f"{path}feed.{kind}")
            assert response["Content-Type"] == f"application/{kind}+xml; charset=utf-8"
            root = ElementTree.fromstring(response.content)  # noqa: S314  # our own output
            assert feed_rules.broken(root, url=f"{SITE}{path}feed.{kind}") == [], path
            feed = feedparser.parse(response.content)
            assert not feed.bozo
            assert len(feed.entries) == (1 if path in {"/newsletters/tech-news/", "/corrections/"} else 2), path


@pytest.mark.usefixtures("stories")
def test_a_json_feed_tells_what_its_siblings_tell(client: Client) -> None:
    for path in LISTS:
        feed = json.loads(client.get(f"{path}feed.json").content)
        assert feed["version"] == "https://jsonfeed.org/version/1.1"
        assert (feed["feed_url"], feed["home_page_url"]) == (f"{SITE}{path}feed.json", f"{SITE}{path}")
        atom = feedparser.parse(client.get(f"{path}feed.atom").content)
        assert [item["id"] for item in feed["items"]] == [entry.id for entry in atom.entries]
        assert all(item["content_html"] and item["url"].startswith(SITE) for item in feed["items"])


@pytest.mark.usefixtures("stories")
def test_an_issues_entry_shows_what_its_mail_showed(client: Client) -> None:
    [item] = json.loads(client.get("/newsletters/tech-news/feed.json").content)["items"]
    assert "Good <em>morning</em>" in item["content_html"]
    assert "1 &lt; 2 &amp; &lt;i&gt;so on&lt;/i&gt;" in item["content_html"]
    assert f'<img src="{SITE}/media/images/' in item["content_html"]
    publishing.withdraw(article=Article.objects.get(headline="Second"), reason="x", actor=None, now=feed_date())
    [item] = json.loads(client.get("/newsletters/tech-news/feed.json").content)["items"]
    assert "1 &lt; 2" not in item["content_html"]


def feed_date() -> datetime:
    """After everything that the fixtures did."""
    return Article.objects.latest("updated_at").updated_at + timedelta(hours=1)


def test_a_story_that_leaves_a_section_is_news_to_the_readers_of_its_feed(
    client: Client,
    stories: list[Article],
    media: Path,  # noqa: F811  # the fixture of that name
) -> None:
    first = client.get("/sections/news/feed.rss")
    known = {"if-modified-since": first["Last-Modified"]}
    assert client.get("/sections/news/feed.rss", headers=known).status_code == 304
    other = Section.objects.create(name="Markets", slug="markets")
    Article.objects.filter(pk=stories[0].pk).update(section=other, updated_at=feed_date())
    assert client.get("/sections/news/feed.rss", headers=known).status_code == 200


def test_what_does_not_exist_has_no_feed(client: Client, db: None) -> None:
    for path in ("/sections/none/", "/tags/none/", "/authors/none/", "/newsletters/none/"):
        assert client.get(f"{path}feed.rss").status_code == 404
