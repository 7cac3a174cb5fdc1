"""What all pages share comes from the process, and is what the database has at that moment."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from articles.models import Section
from publication import shared_parts
from publication.models import PageVersion, Publication
from publication.shared_parts import Part
from subscribers.models import CadenceOffer, LegalDocument, LegalVersion, Newsletter
from tests.cast import Publish, account, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ["/", "/articles/story-1/", "/sections/news/", "/newsletters/tech-news/", "/ru/", "/nowhere/"]


@pytest.fixture
def pages(publish: Publish, newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    """A story, a newsletter, legal texts, and pages in two languages."""
    publish("One")
    Publication.objects.update_or_create(pk=1, defaults={"further_languages": ["ru"]})


def _raw(sql: str) -> Callable[[], object]:
    def change() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    return change


CHANGES: list[tuple[str, Callable[[], object]]] = [
    ("name", lambda: Publication.objects.update(name="The Other Paper")),
    ("look", lambda: Publication.objects.update(accent_colour="#123456", typeface="review")),
    ("languages", lambda: Publication.objects.update(further_languages=["ru", "de"])),
    ("own language", lambda: Publication.objects.update(language="de")),
    ("section", lambda: Section.objects.create(name="Sport", slug="sport", position=9)),
    ("section's name", lambda: Section.objects.filter(slug="news").update(name="Novelties")),
    (
        "section's name in Russian",
        lambda: Section.objects.filter(slug="news").update(translations={"ru": {"name": "Новости"}}),
    ),
    ("section's address", _raw("UPDATE articles_section SET slug = 'newest' WHERE slug = 'news'")),
    ("newsletter's name", lambda: Newsletter.objects.update(name="The Morning")),
    ("newsletter's end", lambda: Newsletter.objects.update(is_open=False)),
    ("offers", lambda: CadenceOffer.objects.update(is_active=False)),
    ("legal text", lambda: LegalDocument.objects.update(title="What we keep")),
]


def test_after_each_change_the_shared_parts_is_as_if_it_were_made_again(client: Client, pages: None) -> None:
    before = _shown(client)
    for what, change in CHANGES:
        change()
        after = _shown(client)
        assert after != before, what
        assert after == _again(client), what
        before = after


def test_what_was_rolled_back_is_never_cached(client: Client, pages: None) -> None:
    before = _shown(client)
    with transaction.atomic():
        Publication.objects.update(name="The Other Paper")
        assert b"The Other Paper" in client.get("/").content
        transaction.set_rollback(True)
    assert _shown(client) == before


def test_the_shared_parts_costs_one_statement_for_each_page(
    client: Client, pages: None, django_assert_max_num_queries: Any
) -> None:
    for path, most in {"/": 6, "/articles/story-1/": 1, "/sections/news/": 5, "/feed.rss": 6, "/nowhere/": 1}.items():
        client.get(path)
        with django_assert_max_num_queries(most):
            client.get(path)


def test_a_story_that_is_read_for_the_first_time_costs_one_statement_more(
    client: Client, pages: None, publish: Publish, django_assert_max_num_queries: Any
) -> None:
    publish("Two")
    for path in ("/", "/articles/story-1/"):
        client.get(path)
    with django_assert_max_num_queries(2):
        assert b"Two" in client.get("/articles/story-2/").content


def test_after_a_restore_nothing_of_the_lost_time_is_shown(newsletter: Newsletter) -> None:
    process = shared_parts.Process()
    epoch = process.now()
    process.put("name", Part(epoch, frozenset(), "lost"))
    assert process.get("name")
    PageVersion.objects.update(number=F("number") - 1_000)
    assert process.now() < epoch
    process.put("late", Part(epoch, frozenset(), "lost"))
    assert process.get("name") is None
    assert process.get("late") is None


def test_parts_that_nobody_asked_for_longest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_parts, "MOST_SIZE", 3 * shared_parts.OVERHEAD + 25)
    process = shared_parts.Process()
    epoch = process.now()
    for name in ("one", "two"):
        process.put(name, Part(epoch, frozenset(), "x" * 10))
    process.get("one")
    process.put("three", Part(epoch, frozenset(), "x" * 10))
    assert [name for name in ("one", "two", "three") if process.get(name)] == ["one", "three"]


def _shown(client: Client) -> list[bytes]:
    """Each page twice: who comes second has what was cached for the first."""
    for path in PAGES:
        client.get(path)
    return [client.get(path).content for path in PAGES]


def _again(client: Client) -> list[bytes]:
    """In a transaction nothing is taken from the process."""
    with transaction.atomic():
        return [client.get(path).content for path in PAGES]


def test_a_preview_of_another_look_leaves_nothing_in_the_process(client: Client, pages: None) -> None:
    before = _shown(client)
    paul = signed_in(account("paul", "Publisher"))
    fields = {"name": "The Hour", "accent_colour": "#0b5d1e", "postal_address": "2 New Street"}
    page = paul.post("/admin/identity/preview/", fields).content.decode()
    assert '<span class="masthead__name">The Hour</span>' in page, "not what was kept"
    assert _shown(client) == before
