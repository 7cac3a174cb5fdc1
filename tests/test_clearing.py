"""After a test that commits the database is as the migrations left it, whichever way it is emptied."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import TransactionTestCase

from articles.models import Article, Section
from subscribers.models import ConsentEvent
from tests import clearing

pytestmark = pytest.mark.django_db(transaction=True)


def write() -> None:
    """Rows that refer to one another, and one that a trigger guards."""
    section = Section.objects.create(name="News", slug="news")
    Article.objects.create(headline="x", slug="x", standfirst="x", section=section)
    User.objects.create_user("ada").groups.add(Group.objects.earliest("pk"))
    ConsentEvent.objects.create(
        kind="confirmed",
        subscriber_uuid="00000000-0000-0000-0000-000000000001",
        address_hash="0" * 64,
        occurred_at="2025-05-06T00:00:00Z",
        previous_hash="0" * 64,
        hash="1" * 64,
    )


def is_empty() -> bool:
    return not any(model.objects.exists() for model in (Section, Article, User, ConsentEvent))


def test_what_was_written_goes_and_what_stands_stays() -> None:
    emptied, stands = clearing.Clearing(), set(Permission.objects.values_list("pk", flat=True))
    write()
    emptied.clear(TransactionTestCase())
    assert is_empty()
    assert stands
    assert set(Permission.objects.values_list("pk", flat=True)) == stands


def test_a_group_that_was_changed_is_made_anew() -> None:
    emptied, names = clearing.Clearing(), set(Group.objects.values_list("name", flat=True))
    write()
    Group.objects.earliest("pk").delete()
    Group.objects.create(name="Strangers")
    emptied.clear(TransactionTestCase())
    assert is_empty()
    assert set(Group.objects.values_list("name", flat=True)) == names
    ContentType.objects.clear_cache()


def test_a_user_who_may_not_set_triggers_aside_gets_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied = clearing.Clearing()
    monkeypatch.setattr(clearing, "SET_TRIGGERS_ASIDE", f"SET LOCAL ROLE pg_monitor; {clearing.SET_TRIGGERS_ASIDE}")
    write()
    emptied.clear(TransactionTestCase())
    assert is_empty()
