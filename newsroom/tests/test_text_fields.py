"""No text column of any model holds a control character, by whichever way the text came."""

import unicodedata
from datetime import datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import connection, models
from django.test import Client, RequestFactory

from articles import publishing, revisions
from articles.models import Article, Section, Tag
from publication.models import Publication
from subscribers import consent
from subscribers.models import ConsentEvent, Subscriber
from tests.table import rows

OURS = ("publication", "staff", "articles", "subscribers", "digests", "mailkit", "core", "postal", "newsroom")
HOSTILE = "A\x0bB\x00C\x1b\r\nD\u2028E\x85F\x9f\ud800\ufffe"
LINE, TEXT = "A BC D E F", "A\nBC\nD\nE\nF"
COLUMNS = [
    field
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in OURS and not model._meta.proxy
    for field in model._meta.concrete_fields
    if isinstance(field, (models.CharField, models.TextField))
]


def name(field: Any) -> str:
    return str(field)


def holds_controls(text: str) -> bool:
    return any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c not in "\t\n" for c in text)


def test_there_are_columns_to_look_at() -> None:
    assert len(COLUMNS) > 90


@pytest.mark.parametrize("field", COLUMNS, ids=name)
def test_every_text_column_cleans_what_is_stored(field: Any) -> None:
    cleaned = TEXT if isinstance(field, models.TextField) else LINE
    row = field.model(**{field.attname: HOSTILE})
    # As ASCII, since a failure with a lone surrogate in its message ends the whole run.
    assert ascii(field.get_db_prep_save(HOSTILE, connection)) == ascii(cleaned)
    assert ascii(field.pre_save(row, add=True)) == ascii(getattr(row, field.attname)) == ascii(cleaned)
    assert holds_controls(HOSTILE)
    assert not holds_controls(cleaned)


@pytest.mark.parametrize("field", [each for each in COLUMNS if each.editable and not each.choices], ids=name)
def test_every_form_cleans_before_it_judges(field: Any) -> None:
    """Django's own refuses NUL in a sentence that nobody understands, and lets all others through."""
    typed = field.formfield()
    read = typed.to_python(HOSTILE)
    assert read == (TEXT if isinstance(field, models.TextField) else LINE)
    ProhibitNullCharactersValidator()(read)


@pytest.mark.parametrize("registered", admin.site._registry.values(), ids=lambda each: str(each.opts))
def test_so_does_every_form_of_the_admin(registered: Any, rf: RequestFactory) -> None:
    """It has widgets of its own, and might have fields of its own."""
    for field in registered.opts.concrete_fields:
        if field in COLUMNS and field.editable and not field.choices:
            read = registered.formfield_for_dbfield(field, rf.get("/")).to_python(HOSTILE)
            assert read == (TEXT if isinstance(field, models.TextField) else LINE), field


def test_to_the_database_they_are_djangos_own() -> None:
    for field in COLUMNS:
        assert field.deconstruct()[1].startswith("django.db.models."), field


@pytest.mark.django_db
def test_every_way_of_storing_is_one() -> None:
    by_save = Tag(name=HOSTILE, slug="save")
    by_save.save()
    [by_bulk] = Tag.objects.bulk_create([Tag(name=f"{HOSTILE}2", slug="bulk")])
    by_create = Tag.objects.create(name=f"{HOSTILE}3", slug="create")
    by_update = Tag.objects.create(name="x", slug="update")
    Tag.objects.filter(pk=by_update.pk).update(name=f"{HOSTILE}4")
    by_bulk_update = Tag.objects.create(name="y", slug="bulk-update")
    by_bulk_update.name = f"{HOSTILE}5"
    Tag.objects.bulk_update([by_bulk_update], ["name"])
    by_get, _ = Tag.objects.update_or_create(slug="get", defaults={"name": f"{HOSTILE}6"})
    assert set(Tag.objects.values_list("name", flat=True)) == {LINE, *(f"{LINE}{n}" for n in range(2, 7))}
    assert [row.name for row in (by_save, by_bulk, by_create, by_get)] == [LINE, f"{LINE}2", f"{LINE}3", f"{LINE}6"]


@pytest.mark.django_db
def test_a_row_is_cleaned_before_it_is_judged() -> None:
    """A name in a mail's header is refused for what reorders it, not for a line break from Word."""
    house = Publication(name="News\x0bof the\x00 day", owner="x")
    house.full_clean(exclude=["logo"])
    assert house.name == "News of the day"
    house.name = "News\u202e"
    with pytest.raises(ValidationError, match="is invisible"):
        house.full_clean(exclude=["logo"])


@pytest.mark.django_db
def test_a_headline_pasted_from_word_is_published(now: datetime) -> None:
    desk = Section.objects.create(name="News", slug="news")
    story = Article.objects.create(
        headline="Prices\x0brise", slug="a", section=desk, standfirst="One\x0btwo\r\nthree", body_markdown="a\x00b\x0bc"
    )
    publishing.save_revision(article=story, actor=None, now=now)
    publishing.publish(article=story, actor=None, now=now)
    revision = revisions.take(Article.objects.get())
    assert (revision["headline"], revision["standfirst"], revision["body_markdown"]) == (
        "Prices rise",
        "One\ntwo\nthree",
        "ab\nc",
    )
    story.refresh_from_db()
    publishing.withdraw(article=story, reason="Wrong\x0bname\x00", actor=None, now=now)
    assert story.withdrawal_reason == "Wrong name"


@pytest.mark.django_db
def test_a_row_from_before_is_still_found(now: datetime) -> None:
    """Texts of forms had CRLF; to look for one means to look for what it has."""
    desk = Section.objects.create(name="News", slug="news")
    story = Article.objects.create(headline="a", slug="a", section=desk, body_markdown="x")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE articles_article SET body_markdown = %s", ["One.\r\n\r\nTwo."])
    publishing.publish(article=story, actor=None, now=now)
    assert Article.objects.get().state == Article.State.PUBLISHED


@pytest.mark.django_db
def test_what_is_sealed_is_what_is_stored(now: datetime) -> None:
    reader = Subscriber.objects.create(address="a@b.example", address_key="a@b.example", address_hash="0" * 64)
    evidence = consent.Evidence(
        form_text=HOSTILE, form_url=f"https://x.test/{HOSTILE}", locale="en\x0b", basis=HOSTILE, source="a\x00b"
    )
    consent.record(
        subscriber=reader, newsletter=None, event=ConsentEvent.Kind.TRACKING_GRANTED, evidence=evidence, now=now
    )
    stored = ConsentEvent.objects.get()
    assert (stored.form_text, stored.basis, stored.source) == (TEXT, LINE, "ab")
    assert consent.seal(stored) == stored.hash


@pytest.mark.django_db
@rows("character", ["\x00", "\x0b", "\x1b", "\x85", "\u2028"])
def test_an_editor_may_paste_it(admin_client: Client, character: str) -> None:
    Publication.objects.current()
    response = admin_client.post(
        "/admin/articles/section/add/", {"name": f"Mar{character}kets", "slug": "markets", "position": "0"}
    )
    assert response.status_code == 302, response.content.decode()
    expected = "Markets" if character in "\x00\x1b" else "Mar kets"
    assert Section.objects.get().name == expected
