"""A story in several languages: its group, its pages, the switch, and translations that the original left behind."""

from datetime import datetime

import pytest
from bs4 import BeautifulSoup
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from articles import deletion, publishing, translations
from articles.models import Article, Section
from articles.refusals import NotReady, WrongState
from articles.tests.conftest import StoryMaker
from publication.models import Publication
from tests.cast import signed_in


@pytest.fixture(autouse=True)
def bilingual(db: None) -> Publication:
    """A newspaper in Bishkek: English first, Russian and Kyrgyz under addresses of their own."""
    publication = Publication.objects.current()
    publication.further_languages = ["ru", "ky"]
    publication.save()
    return publication


@pytest.fixture
def original(story: StoryMaker) -> Article:
    """A published story in English."""
    return story(state="published", headline="The dam is full", slug="the-dam-is-full")


@pytest.fixture
def translated(original: Article, now: datetime) -> Article:
    """Its published translation into Russian."""
    draft = translations.translate(article=original, language="ru", actor=None, now=now)
    draft.headline, draft.body_markdown = "Плотина полна", "Вода у края."
    draft.slug = "plotina-polna"
    draft.save()
    publishing.save_revision(article=draft, actor=None, now=now)
    publishing.publish(article=draft, actor=None, now=now)
    return draft


def soup(path: str) -> BeautifulSoup:
    response = Client().get(path)
    assert response.status_code == 200, path
    return BeautifulSoup(response.content, "html5lib")


def switch(page: BeautifulSoup) -> dict[str, tuple[str, str]]:
    """Address and words of each link of the language switch."""
    links = page.select(".languages a")
    return {str(link["hreflang"]): (str(link["href"]), " ".join(link.get_text().split())) for link in links}


def hreflang(page: BeautifulSoup) -> dict[str, str]:
    return {str(link["hreflang"]): str(link["href"]) for link in page.select("link[rel=alternate][hreflang]")}


def stories(path: str) -> list[str]:
    return [" ".join(each.get_text().split()) for each in soup(path).select(".card__title, .latest a")]


def test_a_language_lists_its_own_stories_only(original: Article, translated: Article, section: Section) -> None:
    for path in ("", "sections/news/", "authors/desk/"):
        assert stories(f"/{path}") == ["The dam is full"], path
        assert stories(f"/ru/{path}") == ["Плотина полна"], path
        assert stories(f"/ky/{path}") == [], path
    for feed in ("feed.rss", "feed.atom", "feed.json", "sitemap.xml"):
        english, russian = (Client().get(f"{prefix}/{feed}").content.decode() for prefix in ("", "/ru"))
        assert "/articles/the-dam-is-full/" in english, feed
        assert "/ru/articles/plotina-polna/" in russian, feed
        assert f"<loc>{settings.SITE_URL}/ru/" not in english, feed
        assert f"<loc>{settings.SITE_URL}/articles" not in russian, feed
    assert "Плотина" in soup("/ru/search/?q=Плотина").select_one("main").get_text()  # type: ignore[union-attr]  # the page has one
    assert not soup("/search/?q=Плотина").select(".card")
    robots = Client().get("/robots.txt").content.decode()
    assert robots.count("/ru/sitemap.xml") == 1


def test_a_story_in_a_language_without_pages_is_on_those_of_the_first(story: StoryMaker) -> None:
    story(state="published", headline="Der Damm ist voll", language="de")
    assert stories("/") == ["Der Damm ist voll"]
    assert stories("/ru/") == []
    assert soup("/").select_one(".card")["lang"] == "de"  # type: ignore[index]  # the page has one
    Publication.objects.update(further_languages=[], language="en-gb")
    assert stories("/") == ["Der Damm ist voll"]


def test_each_text_has_one_address(original: Article, translated: Article, story: StoryMaker) -> None:
    assert Client().get("/articles/plotina-polna/").headers["Location"] == "/articles/the-dam-is-full/"
    assert Client().get("/ru/articles/the-dam-is-full/").headers["Location"] == "/ru/articles/plotina-polna/"
    elsewhere = Client().get("/ky/articles/the-dam-is-full/")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (301, "/articles/the-dam-is-full/")
    page = soup("/ru/articles/plotina-polna/")
    assert page.html["lang"] == "ru"  # type: ignore[index]  # the page has one
    assert '"inLanguage": "ru"' in str(page.find("script", type="application/ld+json"))
    assert not page.select_one("article.story").get("lang")  # type: ignore[union-attr]  # the page has one


def test_the_switch_leads_to_the_translation_or_to_the_front_page(original: Article, translated: Article) -> None:
    page = soup("/articles/the-dam-is-full/")
    assert switch(page) == {
        "en": ("/articles/the-dam-is-full/", "English"),
        "ru": ("/ru/articles/plotina-polna/", "Русский"),
        "ky": ("/ky/", "Кыргызча (башкы бет)"),
    }
    assert page.select_one(".languages [aria-current]").get_text(strip=True) == "English"  # type: ignore[union-attr]  # the page has one
    both = {
        "en": f"{settings.SITE_URL}/articles/the-dam-is-full/",
        "ru": f"{settings.SITE_URL}/ru/articles/plotina-polna/",
        "x-default": f"{settings.SITE_URL}/articles/the-dam-is-full/",
    }
    assert hreflang(page) == hreflang(soup("/ru/articles/plotina-polna/")) == both
    assert switch(soup("/ky/search/?q=dam"))["ru"] == ("/ru/search/?q=dam", "Русский")
    assert set(hreflang(soup("/sections/news/"))) == {"en", "ru", "x-default"}
    assert hreflang(soup("/sections/news/?page=1")) == {}
    entry = f'hreflang="ru" href="{settings.SITE_URL}/ru/articles/plotina-polna/"'
    assert entry in Client().get("/sitemap.xml").content.decode()


def test_one_language_costs_no_switch_and_no_query(original: Article, bilingual: Publication) -> None:
    with CaptureQueriesContext(connection) as several:
        soup("/articles/the-dam-is-full/")
    bilingual.further_languages = []
    bilingual.save()
    with CaptureQueriesContext(connection) as one:
        page = soup("/articles/the-dam-is-full/")
    assert len(several) == len(one)
    assert (switch(page), hreflang(page)) == ({}, {})


def test_a_translation_is_begun_with_the_words_of_the_original(
    original: Article, translated: Article, now: datetime
) -> None:
    draft = translations.translate(article=translated, language="ky", actor=None, now=now)
    assert (draft.state, draft.headline, draft.translation_of_id) == ("draft", "The dam is full", original.pk)
    assert [entry.author.name for entry in draft.bylines.all()] == ["The Desk"]
    for language, sentence in (("ru", "already"), ("en", "already"), ("de", "none of")):
        with pytest.raises(NotReady, match=sentence):
            translations.translate(article=original, language=language, actor=None, now=now)
    assert Article.objects.count() == 3
    with pytest.raises(WrongState):
        deletion.delete(article=original, actor=None, now=now)


def test_a_changed_original_leaves_its_translations_stale(
    original: Article, translated: Article, edda: User, now: datetime
) -> None:
    def is_stale() -> bool:
        translated.refresh_from_db()
        return translated.stale_since is not None

    publishing.save_revision(article=original, actor=None, now=now)
    assert not is_stale()
    publishing.correct(article=original, text="It was half full.", actor=None, now=now)
    assert is_stale()
    translations.confirm(article=translated, actor=edda, now=now)
    assert not is_stale()
    Article.objects.filter(pk=original.pk).update(body_markdown="It is half full.")
    publishing.save_revision(article=original, actor=edda, now=now, note="Wrong figure")
    assert is_stale()
    page = signed_in(edda).get(reverse("admin:articles_article_change", args=[translated.pk])).content.decode()
    assert "See what changed" in page
    publishing.restore(revision=original.revisions.get(number=1), actor=edda, now=now)
    translations.confirm(article=translated, actor=edda, now=now)
    with pytest.raises(WrongState):
        translations.confirm(article=translated, actor=edda, now=now)
    publishing.correct(article=translated, text="Опечатка.", actor=None, now=now)
    original.refresh_from_db()
    assert original.stale_since is None


def test_the_desk_translates_a_story(original: Article, edda: User) -> None:
    editor = signed_in(edda)
    page = editor.get(reverse("admin:articles_article_change", args=[original.pk])).content.decode()
    assert "Translate into Русский" in " ".join(page.split())
    editor.post(reverse("admin:articles_article_translate", args=[original.pk]), {"language": "ru"})
    draft = Article.objects.get(language="ru")
    assert draft.revisions.get().created_by == edda
    rows = reverse("admin:articles_article_changelist")

    def shown(query: str) -> set[int]:
        boxes = BeautifulSoup(editor.get(f"{rows}?{query}").content, "html5lib").select("[name=_selected_action]")
        return {int(str(box["value"])) for box in boxes}

    assert shown("language=ru") == {draft.pk}
    assert shown("translation=ky") == {original.pk}
    assert shown("translation=ru") == set()
    assert shown("translation=stale") == set()
