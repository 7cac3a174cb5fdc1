"""Readers find public stories by their words."""

from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from articles import search
from articles.models import Article, Author, Section, Tag
from articles.tests.conftest import StoryMaker
from publication import languages
from publication.models import Publication
from tests.table import rows


def headlines(query: str) -> list[str]:
    keys = search.stories(query=query).stories
    rows = Article.objects.in_bulk(keys)
    return [rows[key].headline for key in keys]


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


@pytest.mark.parametrize("query", ["reserve", '"digital reserve"', "reserve -copper"])
def test_a_common_word_finds_the_same_from_the_newest_story_back(
    story: StoryMaker, now: datetime, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    for age, words in enumerate(("Digital reserve", "Reserve of digital copper", "No word", "A digital reserve")):
        story(state="published", headline=words, published_at=now - timedelta(days=400 * age))
    found_by_index = headlines(query)
    monkeypatch.setattr(search, "SAMPLE", 3)
    assert headlines(query) == found_by_index != []


def test_only_public_stories_are_found(story: StoryMaker) -> None:
    for state in ("draft", "in_review", "withdrawn"):
        story(state=state, headline="Reserve")
    assert headlines("reserve") == []


def test_a_changed_story_is_found_by_its_new_words_only(story: StoryMaker) -> None:
    article = story(state="published", headline="Copper")
    article.headline = "Nickel"
    article.save()
    assert (headlines("copper"), headlines("nickel")) == ([], ["Nickel"])


@pytest.fixture
def milstreed(story: StoryMaker, section: Section) -> Article:
    """A story with accents, a hyphen and a band whose name is of words that say nothing; others are around it."""
    celine = Author.objects.create(slug="celine", name="Céline Müller")
    for text in (
        "Ether is not what they who paid for the Ethereum coins had thought.",
        "The bank, the law and the end.",
    ):
        story(state="published", headline="Coins and law", body_markdown=text)
    text = "A man of The Who wrote about COVID-19 and Milstreed. Өкмөт үйү, ёлка, Straße."
    return story(state="published", headline="Milk", body_markdown=text, authors=(celine,))


@rows(
    "query",
    [
        "celine", "CÉLINE", "muller", "muller milk", "the who", '"The Who"', "covid 19", "covid-19", "covid", "milstr",
        "milstreed", "Milstred", "milstrede", "окмот", "өкмөт", "елка", "strasse", "wrote man", "nothing or milstreed",
        "celine -coins", "news milk",
    ],
)  # fmt: skip
def test_words_are_matched_as_people_type_them(milstreed: Article, query: str) -> None:
    assert headlines(query)[:1] == ["Milk"]


@rows("query", ["ethereum", "etherum", "ethereun", "ehtereum", "ethereumm"])
def test_a_slip_is_led_back_to_a_word_that_a_story_has(milstreed: Article, query: str) -> None:
    assert headlines(query) == ["Coins and law"]


def test_each_story_is_found_by_the_rules_of_its_language(story: StoryMaker) -> None:
    Publication.objects.update_or_create(pk=1, defaults={"language": "ru", "further_languages": ["de", "ky"]})
    story(state="published", headline="Новости", language="ru")
    story(state="published", headline="Die Häuser", language="de")
    story(state="published", headline="Өкмөттүн чечими", language="ky")
    with languages.override("ru"):
        assert (headlines("новостью"), headlines("Häuser")) == (["Новости"], [])
    with languages.override("de"):
        assert headlines("des Hauses") == ["Die Häuser"]
    with languages.override("ky"):
        assert headlines("окмот") == ["Өкмөттүн чечими"]


def test_a_slip_says_what_was_looked_for_instead(client: Client, milstreed: Article) -> None:
    page = BeautifulSoup(client.get("/search/", {"q": "etherum coins"}).content, "html5lib")
    assert "These are for “ethereum coins”" in page.select_one("[role=status]").text  # type: ignore[union-attr]  # it is there


def test_a_word_of_a_withdrawn_story_is_no_suggestion(story: StoryMaker) -> None:
    story(state="withdrawn", headline="Xylophone")
    assert search.stories(query="xylophon").stories == []


def test_a_section_of_another_name_is_found_by_it_alone(milstreed: Article, section: Section) -> None:
    Section.objects.filter(pk=section.pk).update(name="Кыргызстан")
    assert (headlines(f"{section.name} milk"), headlines("кыргызстан milk")) == ([], ["Milk"])
    assert headlines("milstreed") == ["Milk"]


def test_an_author_of_another_name_is_found_by_it_alone(milstreed: Article) -> None:
    Author.objects.filter(slug="celine").update(name="Aigul Asanova")
    assert (headlines("celine"), headlines("asanova")) == ([], ["Milk"])


def test_narrowed_by_section_author_and_day(client: Client, story: StoryMaker, now: datetime) -> None:
    sport = Section.objects.create(name="Sport", slug="sport")
    celine = Author.objects.create(slug="celine", name="Céline")
    story(state="published", headline="Old match", at=now - timedelta(days=9))
    story(state="published", headline="Cup match", section=sport)
    story(state="published", headline="Her match", authors=(celine,))

    def narrowed(**typed: str) -> set[str]:
        page = BeautifulSoup(client.get("/search/", {"q": "match", **typed}).content, "html5lib")
        return {title.text.strip() for title in page.select(".hit__title")}

    assert narrowed() == {"Old match", "Cup match", "Her match"}
    assert narrowed(section="sport") == {"Cup match"}
    assert narrowed(author="celine") == {"Her match"}
    assert narrowed(until=f"{now - timedelta(days=9):%Y-%m-%d}") == {"Old match"}
    assert narrowed(since=f"{now:%Y-%m-%d}", until=f"{now:%Y-%m-%d}") == {"Cup match", "Her match"}
    assert narrowed(since="yesterday", until="0001-01-01") == {"Old match", "Cup match", "Her match"}


def test_words_are_marked_where_they_stand(client: Client, story: StoryMaker) -> None:
    text = "Before. " * 60 + "Frau Müller & <b>reserves</b> of the bank. " + "After. " * 60
    story(state="published", headline="The Müllers", standfirst="Who they are.", body_markdown=text)
    page = BeautifulSoup(client.get("/search/", {"q": "muller reserve"}).content, "html5lib")
    assert [mark.text for mark in page.select(".hit mark")] == ["Müllers", "Müller", "reserves"]
    excerpt = page.select_one(".hit__excerpt")
    assert excerpt is not None
    assert "Müller & reserves of the bank" in excerpt.text
    assert excerpt.text.startswith("… Before.")
    assert len(excerpt.text) < 300


def test_a_name_beside_the_stories_is_in_the_language_of_the_page(section: Section) -> None:
    Publication.objects.update_or_create(pk=1, defaults={"further_languages": ["ru", "de"]})
    Section.objects.update(translations={"ru": {"name": "Новости"}, "de": {"name": ""}})
    shown = {}
    for language in ("en", "ru", "de"):
        with languages.override(language):
            shown[language] = [name.title for name in search.names(query="news")]
    assert shown == {"en": ["News"], "ru": ["Новости"], "de": ["News"]}


@pytest.fixture
def translated_names(story: StoryMaker, section: Section) -> Article:
    """A Russian story whose section and author, and a tag, have a name in each of three languages."""
    Publication.objects.update_or_create(pk=1, defaults={"language": "en", "further_languages": ["ru", "ky"]})
    aigul = Author.objects.create(slug="aigul", name="Aigul", translations={"ru": {"name": "Айгуль Асанова"}})
    Tag.objects.create(slug="water", name="Water", translations={"ru": {"name": "Вода"}, "ky": {"name": "Суу"}})
    article = story(state="published", headline="Плотина", language="ru", authors=(aigul,))
    Section.objects.filter(pk=section.pk).update(
        name="Politics", translations={"ru": {"name": "Политика"}, "ky": {"name": "Саясат"}}
    )
    return article


@rows(
    ("query", "titles"),
    [
        ("политики", ["Политика"]), ("полит", ["Политика"]), ("саясат", ["Политика"]), ("politic", ["Политика"]),
        ("асановой", ["Айгуль Асанова"]), ("aigul", ["Айгуль Асанова"]), ("воду", ["Вода"]), ("суу", ["Вода"]),
        ("вода политика", []),
    ],
)  # fmt: skip
def test_a_name_is_found_in_each_language(translated_names: Article, query: str, titles: list[str]) -> None:
    with languages.override("ru"):
        assert [name.title for name in search.names(query=query)] == titles


def test_a_story_is_found_by_the_names_of_its_own_language_and_the_first(translated_names: Article) -> None:
    with languages.override("ru"):
        for query in ("политика", "politics", "Асановой", "aigul", "плотина асанова", "полит", "политека"):
            assert headlines(query) == ["Плотина"], query
        Author.objects.filter(slug="aigul").update(translations={"ru": {"name": "Айгуль Токтоева"}})
        assert (headlines("асанова"), headlines("токтоева")) == ([], ["Плотина"])


def test_a_russian_page_searches_and_suggests_by_russian_names(client: Client, translated_names: Article) -> None:
    page = BeautifulSoup(client.get("/ru/search/", {"q": "политика"}).content, "html5lib")
    assert [link["href"] for link in page.select(".names a, .hit__title a")] == [
        "/ru/sections/news/", f"/ru/articles/{translated_names.slug}/",
    ]  # fmt: skip
    suggested = client.get("/ru/search/suggestions/", {"q": "асан"}).json()["suggestions"]
    assert [row["title"] for row in suggested] == ["Айгуль Асанова", "Плотина"]


def test_a_slip_in_a_name_leads_to_the_name_too(client: Client, translated_names: Article) -> None:
    page = BeautifulSoup(client.get("/ru/search/", {"q": "политека"}).content, "html5lib")
    assert [link.text for link in page.select(".names a")] == ["Политика"]


def test_sections_authors_and_tags_of_the_name_are_beside_the_stories(client: Client, milstreed: Article) -> None:
    page = BeautifulSoup(client.get("/search/", {"q": "celin"}).content, "html5lib")
    assert [name["href"] for name in page.select(".names a")] == ["/authors/celine/"]


def test_suggestions_while_somebody_types(client: Client, milstreed: Article) -> None:
    rows = client.get("/search/suggestions/", {"q": "mül"}).json()["suggestions"]
    assert [(row["title"], row["url"]) for row in rows] == [
        ("Céline Müller", "/authors/celine/"), ("Milk", milstreed.get_absolute_url()),
    ]  # fmt: skip
    assert client.get("/search/suggestions/", {"q": "'"}).json() == {"suggestions": []}


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
    assert client.get("/search/suggestions/", {"q": query}).status_code == 200


def test_the_page_says_how_many_and_keeps_the_words(client: Client, story: StoryMaker) -> None:
    story(state="published", headline="Reserve")
    page = BeautifulSoup(client.get("/search/", {"q": 'reserve "x'}).content, "html5lib")
    assert page.select_one("#search-query")["value"] == 'reserve "x'  # type: ignore[index]  # it is there


def test_a_text_of_any_size_and_script_can_be_indexed(story: StoryMaker) -> None:
    words = " ".join(f"слово{number}" for number in range(30_000))
    story(state="published", headline="Long", body_markdown=words)
    assert headlines("слово7") == ["Long"]
