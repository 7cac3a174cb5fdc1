"""The language of a page comes from its address alone."""

from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from publication import times
from publication.models import Publication
from subscribers.models import Newsletter
from tests.cast import Publish, make_newsletter, make_texts

pytestmark = pytest.mark.django_db

ELSEWHERE = {"accept-language": "de-DE,de;q=0.9", "cookie": "django_language=de"}
COUNTS = {0: "ов", 1: "", 2: "а", 4: "а", 5: "ов", 11: "ов", 12: "ов", 21: "", 22: "а", 111: "ов", 121: "", 1000: "ов"}


@pytest.fixture
def russian(db: None) -> Publication:
    """A publication in English that has its pages in Russian as well."""
    publication = Publication.objects.current()
    publication.further_languages = ["ru"]
    publication.save()
    return publication


@pytest.fixture
def newsletter(db: None) -> Newsletter:
    """A newsletter that readers can sign up for, and the texts to which they agree."""
    make_texts()
    return make_newsletter()


def soup(content: bytes) -> BeautifulSoup:
    return BeautifulSoup(content, "html5lib")


def declared(content: bytes) -> str:
    return str(soup(content).html["lang"])  # type: ignore[index]  # every page has an element html


def test_the_path_alone_decides_about_a_public_page(russian: Publication, newsletter: Newsletter) -> None:
    sentences = {
        "/": ("Skip to the content", "Перейти к содержанию"),
        "/newsletters/": ("How often it comes", "Как часто выходит"),
        "/newsletters/tech-news/": ("Every Monday at 07:00", "По понедельникам в 07:00"),
        "/search/": ("Words to look for", "Слова для поиска"),
        "/subscribe/": ("Your e-mail address", "Ваш адрес электронной почты"),
        "/subscribe/sent/": ("Look in your inbox", "Проверьте почту"),
        "/preferences/": ("Mail me the link", "Прислать ссылку"),
        "/legal/privacy/": ("This is the current version.", "Это действующая версия."),
        "/nowhere/": ("Page not found", "Страница не найдена"),
    }
    for path, (english, native) in sentences.items():
        plain, prefixed = Client().get(path, headers=ELSEWHERE), Client().get(f"/ru{path}", headers=ELSEWHERE)
        assert (declared(plain.content), declared(prefixed.content)) == ("en", "ru"), path
        assert english in plain.content.decode(), path
        assert native in prefixed.content.decode(), path
        assert english not in prefixed.content.decode(), path
        for response in (plain, prefixed):
            assert not response.cookies, path
            assert not {"accept-language", "cookie"} & set(response.get("Vary", "").lower().split(", ")), path


def test_links_of_a_page_stay_in_its_language(russian: Publication, newsletter: Newsletter) -> None:
    page = soup(Client().get("/ru/newsletters/").content)
    links = page.select("a:not(.languages a)")
    own = {str(link["href"]) for link in links if str(link["href"]).startswith("/")}
    assert own
    assert all(address.startswith("/ru/") for address in own)
    assert {str(form["action"]) for form in page.find_all("form")} == {"/ru/search/", "/ru/subscribe/"}
    assert reverse("front") == "/"  # what the thread says afterwards


def test_a_language_that_is_not_served_leads_to_the_same_page(russian: Publication) -> None:
    assert Client().get("/ru")["Location"] == "/ru/"
    Publication.objects.update(further_languages=[])
    assert Client().get("/ru/search/?q=a")["Location"] == "/search/?q=a"
    assert Client().get("/ru//elsewhere.test/")["Location"] == "/elsewhere.test/"
    assert Client().post("/ru/subscribe/", {}).status_code == 422
    assert Client().get("/kk/").status_code == 404
    Publication.objects.update(language="ru")
    assert declared(Client().get("/").content) == "ru"
    assert Client().get("/ru/")["Location"] == "/"


def test_editors_and_machines_have_no_language_in_their_path(russian: Publication) -> None:
    paths = ["/ru/admin/login/", "/ru/webhooks/postmark/", "/ru/metrics"]
    assert [Client().get(path).status_code for path in paths] == [404, 404, 404]
    rules = Client().get("/robots.txt").content.decode().splitlines()
    assert {"Disallow: /confirm/", "Disallow: /ru/confirm/", "Disallow: /admin/"} <= set(rules)


def test_the_admin_speaks_one_language_until_its_catalogue_is_complete(settings: object) -> None:
    asked = {"accept-language": "ru"}
    assert "Password" in Client().get("/admin/login/", headers=asked).content.decode()
    settings.EDITORS_LANGUAGES = {"en", "ru"}  # type: ignore[attr-defined]  # pytest-django's settings fixture
    assert "Пароль" in Client().get("/admin/login/", headers=asked).content.decode()


def test_russian_counts_in_three_forms() -> None:
    with translation.override("ru"):
        counted = [translation.ngettext("%(number)s story", "%(number)s stories", n) % {"number": n} for n in COUNTS]
    assert counted == [f"{n} материал{ending}" for n, ending in COUNTS.items()]


@pytest.mark.parametrize(
    ("language", "heading"),
    [("ky", ("Түзөтүү", "Түзөтүүлөр")), ("de", ("Korrektur", "Korrekturen"))],
)
def test_a_page_counts_one_and_two_as_its_language_does(
    russian: Publication, publish: Publish, language: str, heading: tuple[str, str]
) -> None:
    """Django's own Kyrgyz catalogue has one form only, and is not asked about ours."""
    russian.further_languages = [language]
    russian.save()
    story = publish("The dam is full", language=language)
    for number, title in enumerate(heading, start=1):
        story.corrections.create(text=f"Fault {number}.", corrected_at=timezone.now())
        titles = soup(Client().get(f"/{language}/articles/{story.slug}/").content).find_all("h2")
        assert title in [each.get_text(strip=True) for each in titles]


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "6 May 2025"), ("ru", "6 мая 2025"), ("ky", "6-май, 2025"), ("de", "6. Mai 2025")],
)
def test_a_day_is_written_as_its_language_does(language: str, written: str) -> None:
    with translation.override(language):
        assert times.day(datetime(2025, 5, 6, tzinfo=UTC)) == written
