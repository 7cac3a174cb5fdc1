"""What readers see: the right stories, for everybody alike, with a fixed number of queries."""

import json
from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from articles import typography
from articles.models import Article, Author, Byline, Image, Tag
from articles.tests.conftest import StoryMaker
from publication.models import Publication
from tests import raw_rows
from tests.table import rows


def soup(client: Client, path: str) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html5lib")


def headlines(page: BeautifulSoup) -> list[str]:
    """Of the stories of a list; of the front page, those above its rows of sections."""
    return [each.get_text(strip=True) for each in page.select(":not(.row *):is(.card__title, .latest a)")]


def test_the_front_page_has_the_newest_public_stories_first(client: Client, story: StoryMaker, now: datetime) -> None:
    for age, name in enumerate(["new", "middle", "old"]):
        story(state="published", headline=name, published_at=now - timedelta(days=age))
    for state in ("draft", "in_review", "withdrawn"):
        story(state=state, headline=f"hidden {state}")
    assert headlines(soup(client, "/")) == ["new", "middle", "old"]


def test_an_empty_house_has_a_front_page(client: Client, db: None) -> None:
    assert "No story has been published yet" in soup(client, "/").get_text()


def test_section_tag_and_author_have_their_stories_only(client: Client, story: StoryMaker) -> None:
    ann = Author.objects.create(name="Ann", slug="ann", biography="Writes on money.", role="Editor")
    tag = Tag.objects.create(name="Bitcoin", slug="bitcoin")
    story(state="published", headline="other")
    article = story(state="published", headline="mine", authors=(ann,))
    article.tags.add(tag)
    story(state="draft", headline="hidden", authors=(ann,)).tags.add(tag)
    assert headlines(soup(client, "/sections/news/")) == ["mine", "other"]
    assert headlines(soup(client, "/tags/bitcoin/")) == ["mine"]
    page = soup(client, "/authors/ann/")
    assert headlines(page) == ["mine"]
    assert "Writes on money." in page.get_text()


@pytest.mark.parametrize(
    "path", ["/sections/none/", "/tags/none/", "/authors/none/", "/articles/none/", "/?page=2", "/?page=0", "/?page=x",
             "/?page=" + "9" * 6000]
)  # fmt: skip
def test_what_does_not_exist_is_404(client: Client, db: None, path: str) -> None:
    assert client.get(path).status_code == 404


def test_lists_are_divided_into_pages(client: Client, story: StoryMaker, now: datetime) -> None:
    for number in range(13):
        story(state="published", headline=f"s{number}", published_at=now - timedelta(hours=number))
    first, second = soup(client, "/"), soup(client, "/?page=2")
    assert len(headlines(first)) == 12
    assert headlines(second) == ["s12"]
    assert first.select_one(".pagination a[rel=next]")["href"] == "?page=2"  # type: ignore[index]  # it is there
    assert second.select_one("link[rel=canonical]")["href"].endswith("/?page=2")  # type: ignore[index, union-attr]  # as above


def test_a_story_shows_its_text_byline_picture_and_corrections(
    client: Client, story: StoryMaker, picture: Image, now: datetime
) -> None:
    names = [Author.objects.create(name=name, slug=name.lower()) for name in ("Ann", "Bob", "Cem")]
    article = story(state="published", authors=tuple(names), lead_image=picture)
    article.corrections.create(text="It was seven million.", corrected_at=now)
    page = soup(client, article.get_absolute_url())
    main = page.select_one("article.story")
    assert main is not None
    text = " ".join(main.get_text(" ").split())
    assert "By Ann , Bob and Cem 6 May 2025" in text
    assert "It was seven million." in text
    assert "Jane Roe/Agency" in text
    assert main.select_one("figure img")["alt"] == "A mountain"  # type: ignore[index]  # it is there
    assert main.select_one(".prose strong") is not None


def test_dates_stand_in_the_publications_time_zone(client: Client, story: StoryMaker, now: datetime) -> None:
    Publication.objects.current()
    Publication.objects.update(time_zone="Asia/Bishkek")
    article = story(state="published", published_at=now.replace(day=5, hour=20))
    assert "6 May 2025" in soup(client, article.get_absolute_url()).get_text()


def test_public_pages_set_no_cookie_and_are_the_same_for_all(client: Client, story: StoryMaker) -> None:
    article = story(state="published")
    for path in ("/", article.get_absolute_url(), "/sections/news/", "/search/?q=story", "/feed.rss", "/sitemap.xml"):
        response = client.get(path)
        assert not response.cookies, path
        assert "Cookie" not in response.get("Vary", ""), path
        assert response["Cache-Control"] == "public, max-age=0, must-revalidate", path


@pytest.mark.parametrize(
    "path",
    ["/", "/sections/news/", "/authors/ann/", "/tags/gold/", "/search/?q=story", "/feed.rss", "/feed.json",
     "/sitemap.xml", "/news-sitemap.xml"],
)  # fmt: skip
def test_queries_do_not_grow_with_stories(client: Client, story: StoryMaker, picture: Image, path: str) -> None:
    ann = Author.objects.create(name="Ann", slug="ann")
    bob = Author.objects.create(name="Bob", slug="bob")
    gold, oil = (Tag.objects.create(name=name, slug=name.lower()) for name in ("Gold", "Oil"))

    def add() -> None:
        story(state="published", authors=(ann, bob), lead_image=picture).tags.add(gold, oil)

    add()
    client.get(path)
    with CaptureQueriesContext(connection) as few:
        client.get(path)
    for _ in range(5):
        add()
    with CaptureQueriesContext(connection) as many:
        client.get(path)
    assert len(few) == len(many)
    assert len(many) <= 14


def test_a_storys_queries_do_not_grow_with_what_it_has(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="published", authors=(Author.objects.create(name="A", slug="a"),))
    story(state="published")
    article.tags.add(Tag.objects.create(name="t", slug="t"))
    article.corrections.create(text="x", corrected_at=now)
    client.get(article.get_absolute_url())
    with CaptureQueriesContext(connection) as few:
        client.get(article.get_absolute_url())
    for number in range(5):
        Byline.objects.create(article=article, author=Author.objects.create(name=f"A{number}", slug=f"a{number}"))
        article.tags.add(Tag.objects.create(name=f"t{number}", slug=f"t{number}"))
        article.corrections.create(text="x", corrected_at=now)
        story(state="published")
    with CaptureQueriesContext(connection) as many:
        client.get(article.get_absolute_url())
    assert len(few) == len(many)


HOSTILE = "He said </script><script>alert(\"1\")</script> & 'more' <b> {{ 7|add:1 }} %(x)s"


def test_a_hostile_headline_stays_words_everywhere(client: Client, story: StoryMaker) -> None:
    ann = Author.objects.create(name="<i>Ann</i>", slug="ann")
    article = story(state="published", headline=HOSTILE, standfirst=HOSTILE, authors=(ann,))
    for path in (article.get_absolute_url(), "/", "/sections/news/", "/authors/ann/", "/search/?q=said"):
        page = soup(client, path)
        scripts = [each for each in page.select("script") if not each.get("src")]
        assert all(each["type"] == "application/ld+json" for each in scripts), path
        # What was found is marked in the words as they were typed.
        seen = HOSTILE if "search" in path else typography.headline(HOSTILE, "en")
        assert seen in page.get_text(), path
        assert page.select_one("main b, main i") is None, path


def test_structured_data_says_what_the_page_says(client: Client, story: StoryMaker, picture: Image) -> None:
    ann = Author.objects.create(name="Ann", slug="ann")
    article = story(state="published", headline=HOSTILE + "\u00a0é", authors=(ann,), lead_image=picture)
    page = soup(client, article.get_absolute_url())
    script = page.select_one('script[type="application/ld+json"]')
    assert script is not None
    assert not set("<>&") & set(script.string or "")
    data = json.loads(script.string or "")["@graph"][0]
    assert data["@type"] == "NewsArticle"
    assert data["headline"] == article.headline
    assert data["author"][0]["name"] == "Ann"
    assert data["datePublished"] == "2025-05-06T09:30:00+00:00"
    canonical = page.select_one("link[rel=canonical]")
    assert canonical is not None
    assert canonical["href"] == data["url"] == f"http://127.0.0.1:8000{article.get_absolute_url()}"
    image = page.select_one('meta[property="og:image"]')
    assert image is not None
    assert str(image["content"]).startswith("http://127.0.0.1:8000/share/")


def test_line_separators_cannot_break_structured_data(client: Client, story: StoryMaker) -> None:
    article = story(state="published")
    raw_rows.write(Article, standfirst="one\u2028two\u2029three")
    content = client.get(article.get_absolute_url()).content.decode()
    data = content.split('application/ld+json">')[1].split("</script>")[0]
    assert "\u2028" not in data
    assert json.loads(data)["@graph"][0]["description"] == "one\u2028two\u2029three"


@rows("method", ["post", "put", "delete", "patch"])
def test_pages_are_only_read(client: Client, db: None, method: str) -> None:
    assert getattr(client, method)("/").status_code == 405
