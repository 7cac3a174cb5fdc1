"""Whatever is changed in whatever row: each cached page is what Django would answer."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

from articles.models import Article, Author, Image, Section, Tag
from digests import composing, freezing
from digests.models import Issue
from newsroom.tests.pages import Site
from publication.models import Publication
from subscribers.models import LegalVersion, Newsletter
from tests.cast import Publish

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = [
    "/", "/articles/story-1/", "/articles/story-2/", "/articles/story-3/", "/sections/news/", "/sections/sport/",
    "/tags/water/", "/authors/staff-writer/", "/feed.rss", "/feed.atom", "/feed.json", "/sitemap.xml",
    "/news-sitemap.xml", "/robots.txt", "/search/", "/newsletters/", "/newsletters/tech-news/",
    "/newsletters/tech-news/1/", "/newsletters/tech-news/1/stories/", "/legal/privacy/", "/legal/terms-of-use/",
    "/subscribe/", "/subscribe/sent/", "/preferences/", "/preferences/sent/", "/ru/", "/ru/newsletters/",
    "/sections/news/feed.rss", "/tags/water/feed.atom", "/authors/staff-writer/feed.json", "/articles/story-1/embed/",
    "/newsletters/tech-news/feed.rss", "/corrections/", "/corrections/feed.json",
]  # fmt: skip
EMPTY_SINCE = re.compile(rb"<(updated|lastBuildDate)>[^<]+<")
# Each change is compared on that many of the pages that read the table, in turn. EVERY_PAGE=1: on all of them.
AT_ONCE = 99 if os.environ.get("EVERY_PAGE") else 1


@pytest.fixture
def site(publish: Publish, newsletter: Newsletter, texts: list[LegalVersion]) -> Iterator[Site]:
    """Stories with everything that a story can have, an issue that was sent, and every kind of page."""
    sport = Section.objects.create(name="Sport", slug="sport", position=2)
    picture = Image.objects.create(file="images/a.jpg", alt="A river", width=900, height=600)
    first = publish("One", lead_image=picture)
    second = publish("Two", section=sport, body_markdown=f"See.\n\n::: story {first.slug}\n:::\n")
    publish("Three")
    first.tags.add(Tag.objects.create(name="Water", slug="water"))
    first.corrections.create(text="It was seven.")
    first.reader_letters.create(name="Ann", text="Well said.")
    second.redirects.create(slug="an-old-address")
    Publication.objects.update_or_create(pk=1, defaults={"further_languages": ["ru"]})
    _issue(newsletter)
    with contextlib.closing(Site()) as site:
        yield site


def _issue(newsletter: Newsletter) -> None:
    now = timezone.now() + timedelta(minutes=1)
    issue = composing.compose_now(newsletter=newsletter, cadence="daily", now=now)
    freezing.freeze(issue=issue, now=now)
    Issue.objects.filter(pk=issue.pk).update(
        state=Issue.State.SENDING, planned_at=now, started_at=now, audience_count=0
    )


def test_after_a_change_of_any_field_of_any_row_no_page_is_old(site: Site) -> None:
    readers = _readers(site)
    assert {"articles_article", "articles_byline", "digests_snapshot", "subscribers_legalversion"} <= set(readers)
    changed: list[str] = []
    turn = 0
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields if model._meta.db_table in readers else ():
            paths = readers[model._meta.db_table]
            turn += AT_ONCE
            compared = [paths[(turn + place) % len(paths)] for place in range(min(AT_ONCE, len(paths)))]
            for path in compared:
                site.get(path)
            before = _rows(model)
            if _change(model, field):
                changed.append(f"{model.__name__}.{field.name}")
                _compare(site, changed[-1], compared)
                _put_back(model, field, before)
    assert len(changed) > 80, changed


def test_after_a_row_is_gone_no_page_is_old(site: Site) -> None:
    for path in PAGES:
        site.get(path)
    for table in [
        "articles_correction", "articles_article_tags", "articles_byline", "digests_issueitem", "articles_image",
        "subscribers_cadenceoffer", "articles_tag", "articles_author", "articles_article",
    ]:  # fmt: skip
        with connection.cursor() as cursor, contextlib.suppress(DatabaseError):
            cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608  # a name from above
        _compare(site, table, PAGES)


def test_another_story_costs_pages_that_do_not_show_it_one_statement_for_all(
    site: Site, publish: Publish, django_assert_num_queries: Any
) -> None:
    for path in PAGES:
        site.get(path)
    publish("Four")
    site.asked = 0
    with django_assert_num_queries(1):
        for path in ("/articles/story-2/", "/sections/sport/", "/robots.txt", "/legal/privacy/"):
            site.get(path)
    assert site.asked == 0
    site.get("/articles/story-1/")  # beside it the newest of its section are shown
    assert site.asked == 1


def test_what_follows_under_a_story_is_never_old(site: Site, publish: Publish) -> None:
    water, sport = Tag.objects.get(slug="water"), Section.objects.get(slug="sport")
    other = publish("Five", section=sport)
    other.tags.add(water)
    changes: list[Callable[[], object]] = [
        lambda: Article.objects.filter(pk=other.pk).update(headline="Another headline"),
        lambda: Section.objects.filter(pk=sport.pk).update(name="Games"),
        lambda: Author.objects.update(name="A New Name"),
        lambda: other.tags.remove(water),
        lambda: other.tags.add(water),
        lambda: Article.objects.filter(pk=other.pk).update(state=Article.State.WITHDRAWN),
        lambda: Article.objects.filter(pk=other.pk).update(state=Article.State.PUBLISHED),
    ]
    before = site.get("/articles/story-1/").body
    for number, change in enumerate(changes):
        change()
        after = site.get("/articles/story-1/").body
        assert after != before, number
        _compare(site, str(number), ["/articles/story-1/", "/", "/sections/sport/"])
        before = after


def _readers(site: Site) -> dict[str, list[str]]:
    """Of each table, the pages whose making reads it."""
    readers: dict[str, list[str]] = {}
    for path in PAGES:
        statements: list[str] = []

        def listed(execute: Any, sql: str, *rest: Any, statements: list[str] = statements) -> Any:
            statements.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(listed):
            assert site.uncached(path).status == "200 OK", path
        read = {table for sql in statements for table in re.findall(r'(?:FROM|JOIN) "(\w+)"', sql)}
        # The numbers say that something has changed, and are on no page.
        for table in read - {"publication_pageversion"}:
            readers.setdefault(table, []).append(path)
    return readers


def _compare(site: Site, what: str, paths: Iterable[str]) -> None:
    for path in paths:
        shown, alone = site.get(path), site.uncached(path)
        assert (shown.status, _words(shown.body)) == (alone.status, _words(alone.body)), (
            f"{path} is old after a change of {what}"
        )


def _words(body: bytes) -> bytes:
    """A feed without entries says that it is of this second."""
    return body if b"<entry>" in body or b"<item>" in body else EMPTY_SINCE.sub(b"", body)


def _rows(model: type[models.Model]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT jsonb_agg(to_jsonb(t))::text FROM "{model._meta.db_table}" AS t')  # noqa: S608  # our own name
        return str(cursor.fetchone()[0] or "[]")


def _put_back(model: type[models.Model], field: models.Field[Any, Any], rows: str) -> None:
    table, column = model._meta.db_table, field.column
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{table}" AS t SET "{column}" = r."{column}" '  # noqa: S608  # our own names
            f'FROM jsonb_populate_recordset(NULL::"{table}", %s::jsonb) AS r WHERE r.id = t.id',
            [rows],
        )


def _change(model: type[models.Model], field: models.Field[Any, Any]) -> bool:
    """Give every row another value in this column; False if it is guarded, or there are none."""
    if field.primary_key or field.generated:
        return False
    expression = _another(field)
    column = connection.ops.quote_name(str(field.column))
    table = connection.ops.quote_name(model._meta.db_table)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = {expression.format(column)}")  # noqa: S608  # our own names
            return bool(cursor.rowcount > 0)
    except DatabaseError:
        return False


def _another(field: models.Field[Any, Any]) -> str:
    if field.choices and not isinstance(field, models.ForeignKey):
        values = [value for value, _label in field.flatchoices if value != ""]
        return f"'{values[-1]}'" if isinstance(values[-1], str) else str(values[-1])
    if isinstance(field, ArrayField):
        return "ARRAY['de']::varchar[]"
    if isinstance(field, models.JSONField):
        return f"'{json.dumps({})}'"
    if isinstance(field, models.BooleanField):
        return "NOT {}"
    if isinstance(field, models.DateTimeField | models.DateField):
        return "{} - interval '30 hours'"
    if isinstance(field, models.TimeField):
        return "{} + interval '2 hours'"
    if isinstance(field, models.ForeignKey):
        return f"(SELECT max(id) FROM {field.related_model._meta.db_table})"  # noqa: S608  # our own name
    if isinstance(field, models.IntegerField | models.FloatField):
        return "{} + 0.5" if isinstance(field, models.FloatField) else "{} + 1"
    return "{} || '1'"
