"""Legal texts: versions with hashes, published once and never changed."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from bs4.element import Tag as Element
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from mailkit import html
from publication import languages
from publication.models import Publication
from subscribers import legal, terms, verification
from subscribers.models import ConsentEvent, LegalDocument, LegalVersion, Newsletter
from tests.cast import ask
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(db: None) -> LegalDocument:
    """The terms of use, without a text yet."""
    return LegalDocument.objects.create(kind="terms", slug="terms-of-use", title="Terms of use")


def publish(document: LegalDocument, text: str, note: str = "", language: str = "") -> LegalVersion:
    version = legal.draft(
        document=document, body_markdown=text, change_note=note, language=language, now=timezone.now()
    )
    return legal.publish_version(version=version, actor=None, now=timezone.now())


def test_a_version_is_sealed_when_it_is_published(document: LegalDocument) -> None:
    version = publish(document, "Be **kind**.")

    assert version.sha256 == hashlib.sha256(version.body_html.encode()).hexdigest()
    assert "<strong>kind</strong>" in version.body_html
    assert legal.current_versions() == [version]


def test_a_draft_is_nobodys_business(document: LegalDocument, browser: Client) -> None:
    legal.draft(document=document, body_markdown="Soon.", now=timezone.now())

    assert legal.current_versions() == []
    assert browser.get("/legal/terms-of-use/").status_code == 404
    assert browser.get("/legal/terms-of-use/1/").status_code == 404


@rows("change", [{"body_html": "x"}, {"sha256": "0" * 64}, {"change_note": "x"}, {"number": 7}])
def test_the_database_refuses_to_change_a_published_text(document: LegalDocument, change: dict[str, object]) -> None:
    version = publish(document, "Be kind.")
    with pytest.raises(IntegrityError, match="publish a new version"), transaction.atomic():
        LegalVersion.objects.filter(pk=version.pk).update(**change)


def test_the_database_refuses_to_delete_a_published_text(document: LegalDocument) -> None:
    version = publish(document, "Be kind.")
    with pytest.raises(IntegrityError, match="publish a new version"), transaction.atomic():
        version.delete()


def test_a_draft_may_be_changed_and_deleted(document: LegalDocument) -> None:
    version = legal.draft(document=document, body_markdown="Soon.", now=timezone.now())
    LegalVersion.objects.filter(pk=version.pk).update(change_note="later")
    version.delete()

    assert not LegalVersion.objects.exists()


def test_it_is_published_once(document: LegalDocument) -> None:
    version = publish(document, "Be kind.")
    with pytest.raises(legal.AlreadyPublished):
        legal.publish_version(version=version, actor=None, now=timezone.now())


def test_hostile_markdown_is_made_harmless_or_refused(document: LegalDocument) -> None:
    version = publish(document, "# Hi {: onmouseover=alert(1)}\n\n<script>alert(1)</script>[x](javascript:alert(1))")

    assert "<script" not in version.body_html
    assert "javascript:" not in version.body_html
    huge = legal.draft(document=document, body_markdown="x" * 1_100_000, now=timezone.now())
    with pytest.raises(html.MarkupRefused):
        legal.publish_version(version=huge, actor=None, now=timezone.now())


def test_the_page_shows_the_current_text_and_lists_all(document: LegalDocument, browser: Client) -> None:
    first, second = publish(document, "Be kind."), publish(document, "Be kinder.", "Kinder than before")
    current, earlier = browser.get("/legal/terms-of-use/"), browser.get("/legal/terms-of-use/1/")

    assert b"Be kinder." in current.content
    assert second.sha256.encode() in current.content
    assert b"Kinder than before" in current.content
    assert b'href="/legal/terms-of-use/1/"' in current.content
    assert b"Be kind." in earlier.content
    assert first.sha256.encode() in earlier.content
    assert b"earlier version" in earlier.content
    assert not current.cookies
    assert browser.get("/legal/terms-of-use/3/").status_code == 404
    assert browser.get("/legal/nothing/").status_code == 404


def test_the_pages_of_a_text_may_be_kept_until_a_new_version_is_out(client: Client, texts: list[LegalVersion]) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 10, tzinfo=UTC), tick=True):
        first = client.get("/legal/privacy/")
        assert first["Cache-Control"].startswith("public")
        assert not first.cookies
        unchanged = {"if-none-match": first["ETag"]}
        assert client.get("/legal/privacy/", headers=unchanged).status_code == 304
        newer = legal.draft(document=texts[1].document, body_markdown="Be kinder.", now=timezone.now())
        legal.publish_version(version=newer, actor=None, now=timezone.now())
        assert client.get("/legal/privacy/", headers=unchanged).status_code == 200


def main_of(client: Client, path: str) -> Element:
    return BeautifulSoup(client.get(path).content, "html5lib").select("main .prose .prose")[0]


def test_each_page_shows_the_text_of_its_language_else_that_of_the_first(
    document: LegalDocument, browser: Client
) -> None:
    Publication.objects.update_or_create(pk=1, defaults={"further_languages": ["ru", "de"]})
    publish(document, "Be kind.")
    russian = publish(document, "Будьте добры.", language="ru")
    publish(document, "Be kinder.")
    shown = {path: main_of(browser, path) for path in ("/legal/terms-of-use/", "/ru/legal/terms-of-use/")}
    assert [part.get_text(strip=True) for part in shown.values()] == ["Be kinder.", "Будьте добры."]
    assert not any("lang" in part.attrs for part in shown.values())
    fallback, elsewhere = main_of(browser, "/de/legal/terms-of-use/"), main_of(browser, "/legal/terms-of-use/2/")
    assert (fallback.get_text(strip=True), fallback["lang"]) == ("Be kinder.", "en")
    assert (elsewhere.get_text(strip=True), elsewhere["lang"]) == ("Будьте добры.", "ru")
    page = browser.get("/ru/legal/terms-of-use/").content.decode()
    assert russian.sha256 in page
    assert '<link rel="canonical" href="http://127.0.0.1:8000/ru/legal/terms-of-use/2/">' in page
    assert "/terms-of-use/1/" not in page, "versions in another language are not earlier versions of this one"


def test_who_agrees_in_russian_agrees_to_the_russian_text_and_the_proof_says_so(
    newsletter: Newsletter, texts: list[LegalVersion]
) -> None:
    Publication.objects.update(further_languages=["ru"])
    russian = publish(texts[0].document, "Будьте добры.", language="ru")
    for language in ("en", "ru"):
        with languages.override(language):
            ask(f"{language}@reader.example", newsletter)
    named = [event.documents for event in ConsentEvent.objects.order_by("pk")]
    assert named == [
        [{"document": each.document.slug, "version": each.number, "sha256": each.sha256} for each in agreed]
        for agreed in ([texts[1], texts[0]], [texts[1], russian])
    ]
    publish(texts[0].document, "Будьте добрее.", language="ru")
    assert verification.verify().faults == []


def test_a_new_text_in_one_language_is_no_news_to_forms_in_another(document: LegalDocument) -> None:
    Publication.objects.update_or_create(pk=1, defaults={"further_languages": ["ru"]})
    publish(document, "Be kind.")
    publish(document, "Будьте добры.", language="ru")
    opened, sent = timezone.now(), timezone.now() + timedelta(minutes=1)
    tokens = {}
    for language in ("en", "ru"):
        with languages.override(language):
            tokens[language] = terms.seal(terms=terms.current(), page="/", now=opened)
    publish(document, "Будьте добрее.", language="ru")
    with languages.override("en"):
        terms.check(token=tokens["en"], terms=terms.current(), now=sent)
    with languages.override("ru"), pytest.raises(terms.FormRefused):
        terms.check(token=tokens["ru"], terms=terms.current(), now=sent)
