"""One test walks a table: each row begins with what the fixtures made, and every row that fails is named."""

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from articles.models import Section
from publication.models import Publication
from tests.table import rows


@pytest.fixture
def desk(db: None) -> Section:
    return Section.objects.create(name="News", slug="news")


@rows(("name", "count"), [("One", 1), ("Two", 1)])
def test_nothing_of_a_row_is_left_to_the_next(
    desk: Section, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, count: int
) -> None:
    assert (desk.name, name == settings.SITE_URL, Publication.__doc__ == name) == ("News", False, False)
    assert (cache.get("row"), len(client.cookies)) == (None, 0)
    desk.name = name
    Section.objects.create(name=name, slug="another")
    settings.SITE_URL = name
    monkeypatch.setattr(Publication, "__doc__", name)
    cache.set("row", name)
    client.cookies["row"] = name
    assert Section.objects.count() == 1 + count


def test_every_row_that_fails_is_named(db: None) -> None:
    @rows("number", [1, 2, 3])
    def walk(number: int) -> None:
        assert number == 2

    with pytest.raises(BaseExceptionGroup) as failure:
        walk()
    assert str(failure.value).startswith("2 of 3 rows failed")
    assert [each.__notes__ for each in failure.value.exceptions] == [
        ["in the row {'number': 1}"], ["in the row {'number': 3}"],
    ]  # fmt: skip


def test_a_table_without_rows_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no rows"):
        rows("number", [])(lambda number: None)()
