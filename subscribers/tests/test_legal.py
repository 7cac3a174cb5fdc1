"""Legal texts: versions with hashes, published once and never changed."""

import hashlib
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from mailkit import html
from subscribers import legal
from subscribers.models import LegalDocument, LegalVersion
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(db: None) -> LegalDocument:
    """The terms of use, without a text yet."""
    return LegalDocument.objects.create(kind="terms", slug="terms-of-use", title="Terms of use")


def publish(document: LegalDocument, text: str, note: str = "") -> LegalVersion:
    version = legal.draft(document=document, body_markdown=text, change_note=note, now=timezone.now())
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
