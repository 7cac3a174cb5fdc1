"""Names in further languages: filled in at the desk, shown on the pages of their language."""

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from articles.models import Author, Section
from publication.models import Publication
from subscribers.models import Newsletter
from tests.cast import Publish, Staff, make_texts

pytestmark = pytest.mark.django_db

RUSSIAN = {"name": "По-русски", "description": "Описание", "biography": "Биография"}


def texts(path: str, selector: str) -> list[str]:
    page = BeautifulSoup(Client().get(path).content, "html5lib")
    return [" ".join(each.get_text().split()) for each in page.select(selector)]


def test_names_are_translated_at_the_desk_and_shown_to_readers(
    newsletter: Newsletter, section: Section, publish: Publish, staff: Staff
) -> None:
    Publication.objects.update(further_languages=["ru", "ky"])
    make_texts()
    publish("Плотина полна", language="ru")
    editor = staff("Publisher")
    address = reverse("admin:articles_section_change", args=[section.pk])
    assert "Name in Русский" in editor.get(address).content.decode()
    posted = {"name": "News", "slug": "news", "description": "What happened.", "position": "0"}
    russian = {"name_ru": "Новости", "description_ru": "Что произошло."}
    assert editor.post(address, posted | russian).status_code == 302
    section.refresh_from_db()
    assert section.translations == {"ru": {"name": "Новости", "description": "Что произошло."}}
    Newsletter.objects.update(translations={"ru": {"name": "Технологии"}})

    assert texts("/ru/sections/news/", "h1") == ["Новости"]
    assert texts("/ru/", ".card__section, .kicker, .teaser__kicker")[:1] == ["Новости"]
    assert texts("/ru/newsletters/tech-news/", "h1") == ["Технологии"]
    assert texts("/sections/news/", "h1") == texts("/ky/sections/news/", "h1") == ["News"]
    nav = BeautifulSoup(Client().get("/ky/").content, "html5lib").select_one(".sections li")
    assert nav is not None
    assert nav["lang"] == "en"

    assert editor.post(address, posted | russian | {"name_ru": ""}).status_code == 302
    section.refresh_from_db()
    assert section.translations == {"ru": {"description": "Что произошло."}}
    assert texts("/ru/sections/news/", "h1") == ["News"]


def test_what_is_not_translated_says_in_which_language_it_is(newsletter: Newsletter, publish: Publish) -> None:
    Publication.objects.update(further_languages=["ru"])
    publish("Плотина полна", language="ru")
    for model in (Author, Section, Newsletter):
        model.objects.update(translations={"ru": {"name": "По-русски"}})
    for row in (Author, Section):
        row.objects.update(**{("biography" if row is Author else "description"): "Writes."})
    Newsletter.objects.update(description="What is new.")
    places = {
        "/ru/sections/news/": ".page-head p:not([class])", "/ru/authors/staff-writer/": ".page-head p:not([class])",
        "/ru/newsletters/tech-news/": ".standfirst", "/ru/newsletters/": ".card .standfirst",
        "/ru/articles/story-1/": ".writer__text",
    }  # fmt: skip
    for path, selector in places.items():
        page = BeautifulSoup(Client().get(path).content, "html5lib")
        assert [each.get("lang") for each in page.select(selector)] == ["en"], path
        assert not [each for each in page.select("h1, .card__title") if each.get("lang")], path


def test_every_list_of_names_is_in_the_language_of_its_page(
    newsletter: Newsletter, section: Section, publish: Publish
) -> None:
    Publication.objects.update(further_languages=["ru"])
    publish("Плотина полна", language="ru")
    for model in (Author, Section, Newsletter):
        model.objects.update(translations={"ru": RUSSIAN})

    def answered(path: str) -> str:
        return Client().get(path).content.decode()

    assert "По-русски</title>" in answered("/ru/sections/news/feed.rss")
    assert "По-русски</dc:creator>" in answered("/ru/feed.rss")
    for path in ("/ru/newsletters/", "/ru/subscribe/", "/ru/subscribe/?newsletter=tech-news"):
        assert "Tech News" not in answered(path)
    assert "What matters" not in answered("/ru/")
    assert "Staff Writer" not in answered("/ru/search/?q=плотина")
    suggestions = Client().get("/ru/search/suggestions/?q=пло").json()["suggestions"]
    assert [row["about"] for row in suggestions] == ["По-русски"]
    suggestions = Client().get("/ru/search/suggestions/?q=news").json()["suggestions"]
    assert [row["title"] for row in suggestions] == ["По-русски", "Плотина полна"]
