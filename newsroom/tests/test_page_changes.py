"""A change of what a public page shows is numbered with its commit, and Redis hears of it before and after."""

import pytest
import redis
from django.db import connection, transaction

from articles.models import Article, Section, Tag
from core import page_epoch, redis_client
from publication import page_changes, page_versions
from publication.models import PageChange, PageVersion
from tests.cast import Publish

pytestmark = pytest.mark.django_db(transaction=True)


def raised_since(epoch: int) -> set[str]:
    return set(page_versions.since(epoch, most=1_000).numbers)


def test_a_commit_gives_the_epoch_and_all_its_tags_one_number(publish: Publish) -> None:
    story = publish("One")
    before = page_versions.epoch()
    with transaction.atomic():
        Article.objects.filter(pk=story.pk).update(headline="Two")
        Section.objects.filter(pk=story.section_id).update(name="Renamed")
    changes = page_versions.since(before, most=1_000)
    assert changes.epoch > before
    assert set(changes.numbers.values()) == {changes.epoch}
    assert {"front", "feed", f"article:{story.pk}", f"section:{story.section_id}", "publication"} <= set(
        changes.numbers
    )
    assert not PageChange.objects.exists()


def test_what_is_rolled_back_or_not_public_raises_nothing(publish: Publish, section: Section) -> None:
    story = publish("One")
    before = page_versions.epoch()
    with transaction.atomic():
        Article.objects.filter(pk=story.pk).update(headline="Two")
        transaction.set_rollback(True)
    with transaction.atomic():
        with transaction.atomic():
            Article.objects.filter(pk=story.pk).update(headline="Three")
            transaction.set_rollback(True)
        Article.objects.create(headline="A draft", slug="a-draft", section=section)
        Article.objects.filter(slug="a-draft").update(headline="Another")
        Article.objects.filter(pk=story.pk).update(headline="One")
    assert page_versions.epoch() == before
    Section.objects.filter(pk=section.pk).update(name="Seen")  # and clears the mark of the first one
    assert page_epoch.shown() == page_versions.epoch() > before


def test_redis_has_no_number_from_the_change_to_the_commit(publish: Publish) -> None:
    story = publish("One")
    before = page_epoch.shown()
    assert before == page_versions.epoch()
    with transaction.atomic():
        Article.objects.filter(pk=story.pk).update(headline="Two")
        assert page_epoch.shown() is None
        page_epoch.put(before)  # somebody else, who finds none, cannot put the old one back
        assert page_epoch.shown() is None
    assert page_epoch.shown() == page_versions.epoch() > before


def test_an_older_number_never_replaces_a_newer_one() -> None:
    page_epoch.put(7)
    page_epoch.put(5)
    assert page_epoch.shown() == 7


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE articles_article SET headline = 'Two'",
        "UPDATE articles_article SET state = 'withdrawn'",
        "DELETE FROM articles_byline",
        "INSERT INTO articles_correction (article_id, text, corrected_at) SELECT id, 'No', now() FROM articles_article",
    ],
)
def test_bare_sql_without_a_transaction_is_heard_too(publish: Publish, statement: str) -> None:
    story = publish("One")
    before = page_versions.epoch()
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert f"article:{story.pk}" in raised_since(before)
    assert page_epoch.shown() == page_versions.epoch()


def test_a_change_with_redis_away_returns_when_every_process_must_have_looked(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = publish("One")
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    monkeypatch.setattr(redis_client, "connect", lambda: redis.Redis(port=1, socket_connect_timeout=0.1))
    Section.objects.filter(pk=story.section_id).update(name="Another")
    assert len(naps) == 1
    assert naps[0] > page_changes.SECONDS_BETWEEN_LOOKS


def test_the_tick_repeats_what_redis_lost(publish: Publish) -> None:
    publish("One")
    redis_client.connect().delete(page_epoch.key())
    page_changes.repeat()
    assert page_epoch.shown() == page_versions.epoch()


def test_after_a_restore_of_the_database_every_page_is_made_again(publish: Publish) -> None:
    publish("One")
    PageVersion.objects.update(number=5)
    page_changes.repeat()
    assert raised_since(5) == {"publication"}
    assert page_epoch.shown() == page_versions.epoch() > 5


def test_a_label_of_no_public_story_is_still_heard() -> None:
    label = Tag.objects.create(name="Water", slug="water")
    before = page_versions.epoch()
    label.name = "Rivers"
    label.save()
    assert raised_since(before) == {f"tag:{label.pk}", "feed"}
