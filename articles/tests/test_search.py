"""Readers find public stories by their words."""

from bs4 import BeautifulSoup
from django.test import Client

from articles import search
from articles.tests.conftest import StoryMaker
from tests.table import rows


def headlines(query: str) -> list[str]:
    return [each.headline for each in search.stories(query=query)]


def test_the_headline_counts_most_then_the_standfirst_then_the_text(story: StoryMaker) -> None:
    story(state="published", headline="Only text", body_markdown="All about reserves.")
    story(state="published", headline="Only standfirst", standfirst="All about reserves.")
    story(state="published", headline="Reserves")
    assert headlines("reserve") == ["Reserves", "Only standfirst", "Only text"]


def test_phrases_or_and_without(story: StoryMaker) -> None:
    story(state="published", headline="Digital som pilot")
    story(state="published", headline="Som goes digital")
    assert headlines('"digital som"') == ["Digital som pilot"]
    assert set(headlines("pilot or goes")) == {"Digital som pilot", "Som goes digital"}
    assert headlines("som -pilot") == ["Som goes digital"]


def test_only_public_stories_are_found(story: StoryMaker) -> None:
    for state in ("draft", "in_review", "withdrawn"):
        story(state=state, headline="Reserve")
    assert headlines("reserve") == []


def test_a_changed_story_is_found_by_its_new_words_only(story: StoryMaker) -> None:
    article = story(state="published", headline="Copper")
    article.headline = "Nickel"
    article.save()
    assert (headlines("copper"), headlines("nickel")) == ([], ["Nickel"])


@rows(
    "query", ["", " ", "\x00", "'", '"', "a & | ! b", "((", ":*", "the", "x" * 5000, "%", "\\", "<script>", "🚀", "-"]
)
def test_every_query_gets_an_answer(client: Client, story: StoryMaker, query: str) -> None:
    story(state="published")
    response = client.get("/search/", {"q": query})
    assert response.status_code == 200
    page = BeautifulSoup(response.content, "html5lib")
    assert page.select_one('meta[name="robots"]')["content"] == "noindex"  # type: ignore[index]  # it is there
    assert page.select_one("main script") is None


def test_the_page_says_how_many_and_keeps_the_words(client: Client, story: StoryMaker) -> None:
    story(state="published", headline="Reserve")
    page = BeautifulSoup(client.get("/search/", {"q": 'reserve "x'}).content, "html5lib")
    assert page.select_one("#search-query")["value"] == 'reserve "x'  # type: ignore[index]  # it is there


def test_a_text_of_any_size_and_script_can_be_indexed(story: StoryMaker) -> None:
    words = " ".join(f"слово{number}" for number in range(30_000))
    story(state="published", headline="Long", body_markdown=words)
    assert headlines("слово7") == ["Long"]
