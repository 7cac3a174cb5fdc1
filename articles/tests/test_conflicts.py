"""Two editors in one story: what only one changed stays, and what both changed is asked, field by field."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from articles import conflicts, merging
from articles.models import Article, Author, Byline, Image, Section, Tag
from articles.tests.conftest import StoryMaker
from articles.tests.test_admin import errors, filled_in
from tests.cast import signed_in
from tests.table import rows

BASE = "One.\n\nTwo words here.\n\nThree.\n"


@rows(
    ("mine", "theirs", "merged"),
    [
        (BASE, "New.\n" + BASE, "New.\n" + BASE),
        ("New.\n" + BASE, BASE, "New.\n" + BASE),
        (BASE.replace("One", "Eins"), BASE.replace("Three", "Drei"), "Eins.\n\nTwo words here.\n\nDrei.\n"),
        (BASE.replace("Two", "Zwei"), BASE.replace("here", "there"), "One.\n\nZwei words there.\n\nThree.\n"),
        (BASE + "\nEnd.\n", BASE.replace("One.\n\n", ""), "Two words here.\n\nThree.\n\nEnd.\n"),
        (BASE.replace("Two", "Zwei"), BASE.replace("Two", "Deux"), None),
        (BASE.replace("Two words here.", ""), BASE.replace("words", "sentences"), None),
        (BASE + "Mine.\n", BASE + "Theirs.\n", None),
        ("Same.\n" + BASE, "Same.\n" + BASE, "Same.\n" + BASE),
        ("", BASE, ""),
    ],
)
def test_changes_at_different_places_of_a_text_go_together(
    db: None, mine: str, theirs: str, merged: str | None
) -> None:
    assert merging.merge(base=BASE, mine=mine, theirs=theirs) == merged


def merged(table: dict[str, Any], who: int) -> dict[str, Any]:
    """All that one of them posts."""
    return {field: value for row in table.values() for field, value in row[who].items()}


class Two:
    """Edda and Paul, who have the form of one story open; Edda saves first."""

    def __init__(self, article: Article, edda: User, paul: User) -> None:
        self.article = article
        self.path = f"/admin/articles/article/{article.pk}/change/"
        self.first, self.second = signed_in(edda), signed_in(paul)
        self.hers, self.his = filled_in(self.first, self.path), filled_in(self.second, self.path)

    def save(self, client: Client, values: dict[str, Any]) -> Any:
        response = client.post(self.path, values)
        self.article = Article.objects.get(pk=self.article.pk)
        return response

    def state(self) -> dict[str, Any]:
        story = self.article
        return {
            "headline": story.headline, "standfirst": story.standfirst, "body_markdown": story.body_markdown,
            "slug": story.slug, "section": story.section.name, "lead_image": story.lead_image,
            "tags": [tag.name for tag in story.tags.all()],
            "authors": [entry.author.name for entry in story.bylines.all()],
            "published_at": story.published_at and f"{story.published_at:%Y-%m-%d %H:%M}",
        }  # fmt: skip


@pytest.fixture
def two(edda: User, paul: User, story: StoryMaker) -> Two:
    return Two(story(body_markdown=BASE, authors=(Author.objects.create(name="Ann", slug="ann"),)), edda, paul)


def changes(picture: Image) -> dict[str, tuple[dict[str, Any], dict[str, Any], Any, Any]]:
    """For each field: what she posts and what he posts, and what the story has then."""
    markets, policy = (Section.objects.create(name=name, slug=name.lower()) for name in ("Markets", "Policy"))
    bitcoin, gold = (Tag.objects.create(name=name, slug=name.lower()) for name in ("Bitcoin", "Gold"))
    ben, cyd = (Author.objects.create(name=name, slug=name.lower()) for name in ("Ben", "Cyd"))
    other = Image.objects.create(file="images/0b.jpg", alt="Another", width=10, height=10, renditions={})
    return {
        "headline": ({"headline": "Hers"}, {"headline": "His"}, "Hers", "His"),
        "standfirst": ({"standfirst": "Hers."}, {"standfirst": "His."}, "Hers.", "His."),
        "body_markdown": ({"body_markdown": "Hers."}, {"body_markdown": "His."}, "Hers.", "His."),
        "slug": ({"slug": "hers"}, {"slug": "his"}, "hers", "his"),
        "section": ({"section": markets.pk}, {"section": policy.pk}, "Markets", "Policy"),
        "tags": ({"tags": [bitcoin.pk]}, {"tags": [gold.pk]}, ["Bitcoin"], ["Gold"]),
        "authors": ({"bylines-0-author": ben.pk}, {"bylines-0-author": cyd.pk}, ["Ben"], ["Cyd"]),
        "lead_image": ({"lead_image": picture.pk}, {"lead_image": other.pk}, picture, other),
        "published_at": (
            {"published_at_0": "2025-05-01", "published_at_1": "09:00"},
            {"published_at_0": "2025-05-02", "published_at_1": "10:00"},
            "2025-05-01 09:00",
            "2025-05-02 10:00",
        ),
    }  # fmt: skip


def test_fields_that_both_changed_are_asked_and_nothing_is_lost(two: Two, picture: Image) -> None:
    table = changes(picture)
    assert set(table) == set(conflicts.FIELDS)
    hers, his = two.hers | merged(table, 0), two.his | merged(table, 1)
    assert two.save(two.first, hers).status_code == 302
    response = two.save(two.second, his)
    assert response.status_code == 200
    assert "edda saved this story at" in errors(response)
    assert two.state() == {name: row[2] for name, row in table.items()}
    page = BeautifulSoup(response.content, "html5lib")
    asked = [f"choose_{name}" for name in conflicts.FIELDS]
    assert list(dict.fromkeys(str(each["name"]) for each in page.select(".story-conflicts [type=radio]"))) == asked
    met = str(page.select_one('[name="met"]')["value"])  # type: ignore[index]  # it is there
    mine, theirs = dict.fromkeys(asked, "mine"), dict.fromkeys(asked, "theirs")
    # A choice against another version than the last is none, and each field needs one.
    assert two.save(two.second, his | mine | {"met": "1"}).status_code == 200
    assert two.save(two.second, his | mine | {"met": met, asked[-1]: ""}).status_code == 200
    assert two.save(two.second, his | theirs | {"met": met}).status_code == 302
    assert two.state() == {name: row[2] for name, row in table.items()}
    assert two.save(two.second, his | mine | {"met": str(int(met) + 1)}).status_code == 302
    assert two.state() == {name: row[3] for name, row in table.items()}


def test_what_only_she_changed_stays_hers(two: Two, picture: Image) -> None:
    table = changes(picture)
    del table["headline"]
    two.save(two.first, two.hers | merged(table, 0))
    assert two.save(two.second, two.his | {"headline": "His"}).status_code == 302
    assert two.state() == {name: row[2] for name, row in table.items()} | {"headline": "His"}


def test_both_changes_of_a_text_are_put_together_when_they_do_not_touch(two: Two) -> None:
    two.save(two.first, two.hers | {"body_markdown": BASE.replace("One", "Eins")})
    his = two.his | {"body_markdown": BASE.replace("Three", "Drei")}
    page = BeautifulSoup(two.save(two.second, his).content, "html5lib")
    chosen = page.select_one(".story-conflicts [checked]")
    assert chosen is not None
    assert chosen["value"] == "both"
    met = str(page.select_one('[name="met"]')["value"])  # type: ignore[index]  # it is there
    assert two.save(two.second, his | {"met": met, "choose_body_markdown": "both"}).status_code == 302
    assert two.article.body_markdown.splitlines() == ["Eins.", "", "Two words here.", "", "Drei."]


def test_a_form_whose_authors_were_restored_meanwhile_can_be_saved(two: Two) -> None:
    Byline.objects.all().delete()
    assert two.save(two.second, two.his | {"headline": "His"}).status_code == 302
    assert (two.state()["headline"], two.state()["authors"]) == ("His", ["Ann"])
