"""Stories move by verbs; what a verb is refused for is said in a sentence."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from articles import publishing
from articles.models import Article
from articles.tests.conftest import StoryMaker
from tests.table import rows

State = Article.State


def test_publishing_stores_html_with_its_hash_and_both_dates(story: StoryMaker, now: datetime) -> None:
    article = story()
    publishing.publish(article=article, actor=None, now=now)
    assert article.state == State.PUBLISHED
    assert article.body_html == "<p>Some <strong>bold</strong> words.</p>"
    assert "bold" in article.body_text
    assert len(article.body_sha256) == 64
    assert article.published_at == article.first_published_at == now


def test_a_date_that_was_set_is_kept_and_the_release_is_still_now(story: StoryMaker, now: datetime) -> None:
    shown = now - timedelta(days=300)
    article = story(state="published", published_at=shown)
    assert article.published_at == shown
    assert article.first_published_at == now


def test_the_whole_way_and_back(story: StoryMaker, now: datetime) -> None:
    article = story()
    publishing.submit(article=article, actor=None, now=now)
    assert article.state == State.IN_REVIEW
    publishing.schedule(article=article, publish_at=now + timedelta(hours=1), actor=None, now=now)
    assert article.state == State.SCHEDULED
    publishing.return_to_draft(article=article, actor=None, now=now)
    assert article.state == State.DRAFT
    assert article.publish_at is None
    publishing.publish(article=article, actor=None, now=now)
    publishing.withdraw(article=article, reason=" The source took it back. ", actor=None, now=now)
    assert article.state == State.WITHDRAWN
    assert article.withdrawal_reason == "The source took it back."


def test_publishing_again_keeps_the_first_release(story: StoryMaker, now: datetime) -> None:
    article = story(state="withdrawn")
    publishing.publish(article=article, actor=None, now=now + timedelta(days=2))
    assert article.state == State.PUBLISHED
    assert article.first_published_at == now
    assert article.withdrawal_reason == ""
    assert article.withdrawn_at is None


@rows(
    ("state", "verb"),
    [
        ("published", "publish"), ("published", "submit"), ("draft", "withdraw"), ("draft", "correct"),
        ("withdrawn", "withdraw"), ("withdrawn", "correct"), ("published", "return_to_draft"),
        ("in_review", "submit"), ("published", "schedule"),
    ],
)  # fmt: skip
def test_a_verb_that_does_not_fit_changes_nothing(story: StoryMaker, now: datetime, state: str, verb: str) -> None:
    article = story(state=state)
    versions = article.revisions.count()
    extras: dict[str, dict[str, Any]] = {
        "withdraw": {"reason": "Because."},
        "correct": {"text": "It was two."},
        "schedule": {"publish_at": now + timedelta(days=1)},
    }
    with pytest.raises(publishing.WrongState) as refused:
        getattr(publishing, verb)(article=article, actor=None, now=now, **extras.get(verb, {}))
    words = str(refused.value)
    assert re.match(rf"The story is {State(state).label.lower()} (now, so it cannot become|already\.)", words), words
    article.refresh_from_db()
    assert article.state == state
    assert article.revisions.count() == versions


def test_an_empty_story_is_not_published(story: StoryMaker, now: datetime) -> None:
    article = story(body_markdown="  \n")
    with pytest.raises(publishing.NotReady, match="Write the text first"):
        publishing.publish(article=article, actor=None, now=now)


def test_scheduling_into_the_past_is_refused(story: StoryMaker, now: datetime) -> None:
    with pytest.raises(publishing.NotReady, match="still to come"):
        publishing.schedule(article=story(), publish_at=now, actor=None, now=now)


def test_a_withdrawal_needs_a_reason(story: StoryMaker, now: datetime) -> None:
    article = story(state="published")
    with pytest.raises(publishing.NotReady, match="reason"):
        publishing.withdraw(article=article, reason="  ", actor=None, now=now)
    article.refresh_from_db()
    assert article.state == State.PUBLISHED


def test_a_correction_is_dated_and_signed(story: StoryMaker, edda: User, now: datetime) -> None:
    article = story(state="published")
    publishing.correct(article=article, text="It was seven million.", actor=edda, now=now)
    correction = article.corrections.get()
    assert (correction.text, correction.corrected_at, correction.created_by) == ("It was seven million.", now, edda)


def test_an_author_submits_and_cannot_publish(story: StoryMaker, ada: User, now: datetime) -> None:
    article = story()
    article.revisions.update(created_by=ada)
    with pytest.raises(publishing.NotAllowed):
        publishing.publish(article=article, actor=ada, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.schedule(article=article, publish_at=now + timedelta(days=1), actor=ada, now=now)
    publishing.submit(article=article, actor=ada, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.save_revision(article=article, actor=ada, now=now)


def test_an_author_cannot_touch_the_draft_of_another(story: StoryMaker, ada: User, now: datetime) -> None:
    article = story()
    with pytest.raises(publishing.NotAllowed):
        publishing.submit(article=article, actor=ada, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.restore(revision=article.revisions.get(), actor=ada, now=now)


def test_an_editor_corrects_and_cannot_publish_or_withdraw(story: StoryMaker, edda: User, now: datetime) -> None:
    article = story(state="published")
    with pytest.raises(publishing.NotAllowed):
        publishing.withdraw(article=article, reason="Because.", actor=edda, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.publish(article=story(), actor=edda, now=now)


def test_a_publisher_may_do_both(story: StoryMaker, paul: User, now: datetime) -> None:
    article = story()
    publishing.publish(article=article, actor=paul, now=now)
    publishing.withdraw(article=article, reason="Because.", actor=paul, now=now)
    assert article.revisions.first().created_by == paul  # type: ignore[union-attr]  # there are versions


def test_the_database_refuses_a_published_story_without_html(story: StoryMaker) -> None:
    article = story()
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=article.pk).update(state=State.PUBLISHED)
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=article.pk).update(state="gone")


def test_a_verb_acts_on_the_row_and_not_on_a_stale_object(story: StoryMaker, now: datetime) -> None:
    article = story()
    stale = Article.objects.get(pk=article.pk)
    publishing.publish(article=article, actor=None, now=now)
    with pytest.raises(publishing.WrongState):
        publishing.publish(article=stale, actor=None, now=now)
    assert stale.revisions.filter(note="Published").count() == 1
