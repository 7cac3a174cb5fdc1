"""What is around a story: faces of its authors, minutes to read, when it changed, links to share, what is next."""

from datetime import datetime, timedelta

from bs4 import BeautifulSoup
from bs4 import Tag as Element
from django.test import Client

from articles import picture_library, reading, related
from articles.models import Article, Author, Image, Tag
from articles.tests.conftest import StoryMaker
from publication.shared_parts import SharedParts
from tests import raw_rows


def page(client: Client, article: Article) -> Element:
    main = BeautifulSoup(client.get(article.get_absolute_url()).content, "html5lib").select_one("main")
    assert main is not None
    return main


def test_authors_have_their_faces_and_say_who_they_are(client: Client, story: StoryMaker, picture: Image) -> None:
    ann = Author.objects.create(name="Ann", slug="ann", role="Reporter", biography="Writes on money.", picture=picture)
    main = page(client, story(state="published", authors=(ann,)))
    assert len(main.select(".story__faces img.face")) == 1
    writer = main.select_one(".writer")
    assert writer is not None
    assert "Writes on money." in writer.get_text()
    author_page = BeautifulSoup(client.get("/authors/ann/").content, "html5lib")
    assert author_page.select_one(".page-head img.face") is not None
    assert "1 story" in " ".join(author_page.select_one(".page-head").get_text().split())  # type: ignore[union-attr]  # it is there


def test_a_face_is_not_deleted_from_the_library(picture: Image) -> None:
    Author.objects.create(name="Ann", slug="ann", picture=picture)
    assert picture_library.is_used(picture)
    assert [place.name for place in picture_library.places(picture)] == ["Ann"]
    assert picture not in picture_library.search(unused=True)


def test_a_story_is_called_updated_when_it_changed_long_after_it_came_out(
    client: Client, story: StoryMaker, now: datetime
) -> None:
    article = story(state="published")
    raw_rows.write(Article, updated_at=now + timedelta(minutes=59))
    assert "updated" not in page(client, article).get_text()
    raw_rows.write(Article, updated_at=now + timedelta(days=2))
    assert "updated 8 May 2025" in " ".join(page(client, article).get_text().split())


def test_reading_takes_a_minute_at_least() -> None:
    assert [reading.minutes("word " * count) for count in (0, 100, 460, 1_150)] == [1, 1, 2, 5]


def test_it_is_shared_by_plain_links(client: Client, story: StoryMaker) -> None:
    article = story(state="published", headline="5 % & more?")
    links = {link.get_text(): link["href"] for link in page(client, article).select(".share a")}
    address = f"http%3A%2F%2F127.0.0.1%3A8000%2Farticles%2F{article.slug}%2F"
    assert links["E-mail this"].startswith("mailto:?subject=5%20%25%20%26%20more%3F&body=")  # type: ignore[union-attr]  # one value
    assert all(address in str(link) for link in links.values())
    assert len(links) == 4


def test_stories_with_most_tags_in_common_come_next(story: StoryMaker, now: datetime) -> None:
    gold, oil = (Tag.objects.create(name=name, slug=name) for name in ("gold", "oil"))
    article = story(state="published", headline="this")
    article.tags.add(gold, oil)
    for number, (name, tags) in enumerate([("newest", []), ("one", [gold]), ("both", [gold, oil]), ("hidden", [gold])]):
        other = story(
            state="withdrawn" if name == "hidden" else "published", headline=name,
            published_at=now - timedelta(hours=number),
        )  # fmt: skip
        other.tags.add(*tags)
    chosen = related.stories(
        article.pk, section=article.section_id, tags=[gold.pk, oil.pk], number=3, parts=SharedParts(None)
    )
    assert [Article.objects.get(pk=number).headline for number in chosen] == ["both", "one", "newest"]
