"""Stories move by verbs; what a verb is refused for is said in a sentence."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from articles import publishing
from articles.models import Article
from articles.tests.conftest import StoryMaker

State = Article.State


def test_publishing_stores_html_with_its_hash_and_both_dates(story: StoryMaker, now: datetime) -> None:
    made = story()
    publishing.publish(article=made, actor=None, now=now)
    assert made.state == State.PUBLISHED
    assert made.body_html == "<p>Some <strong>bold</strong> words.</p>"
    assert "bold" in made.body_text
    assert len(made.body_sha256) == 64
    assert made.published_at == made.first_published_at == now


def test_a_date_that_was_set_is_kept_and_the_release_is_still_now(story: StoryMaker, now: datetime) -> None:
    shown = now - timedelta(days=300)
    made = story(state="published", published_at=shown)
    assert made.published_at == shown
    assert made.first_published_at == now


def test_the_whole_way_and_back(story: StoryMaker, now: datetime) -> None:
    made = story()
    publishing.submit(article=made, actor=None, now=now)
    assert made.state == State.IN_REVIEW
    publishing.schedule(article=made, publish_at=now + timedelta(hours=1), actor=None, now=now)
    assert made.state == State.SCHEDULED
    publishing.return_to_draft(article=made, actor=None, now=now)
    assert made.state == State.DRAFT
    assert made.publish_at is None
    publishing.publish(article=made, actor=None, now=now)
    publishing.withdraw(article=made, reason=" The source took it back. ", actor=None, now=now)
    assert made.state == State.WITHDRAWN
    assert made.withdrawal_reason == "The source took it back."


def test_publishing_again_keeps_the_first_release(story: StoryMaker, now: datetime) -> None:
    made = story(state="withdrawn")
    publishing.publish(article=made, actor=None, now=now + timedelta(days=2))
    assert made.state == State.PUBLISHED
    assert made.first_published_at == now
    assert made.withdrawal_reason == ""
    assert made.withdrawn_at is None


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        ("published", "publish"), ("published", "submit"), ("draft", "withdraw"), ("draft", "correct"),
        ("withdrawn", "withdraw"), ("withdrawn", "correct"), ("published", "return_to_draft"),
        ("in_review", "submit"), ("published", "schedule"),
    ],
)  # fmt: skip
def test_a_verb_that_does_not_fit_changes_nothing(story: StoryMaker, now: datetime, state: str, verb: str) -> None:
    made = story(state=state)
    versions = made.revisions.count()
    extras: dict[str, dict[str, Any]] = {
        "withdraw": {"reason": "Because."},
        "correct": {"text": "It was two."},
        "schedule": {"publish_at": now + timedelta(days=1)},
    }
    with pytest.raises(publishing.WrongState) as refused:
        getattr(publishing, verb)(article=made, actor=None, now=now, **extras.get(verb, {}))
    assert str(refused.value).startswith(f"The story is {State(state).label.lower()} now")
    made.refresh_from_db()
    assert made.state == state
    assert made.revisions.count() == versions


def test_an_empty_story_is_not_published(story: StoryMaker, now: datetime) -> None:
    made = story(body_markdown="  \n")
    with pytest.raises(publishing.NotReady, match="Write the text first"):
        publishing.publish(article=made, actor=None, now=now)


def test_scheduling_into_the_past_is_refused(story: StoryMaker, now: datetime) -> None:
    with pytest.raises(publishing.NotReady, match="still to come"):
        publishing.schedule(article=story(), publish_at=now, actor=None, now=now)


def test_a_withdrawal_needs_a_reason(story: StoryMaker, now: datetime) -> None:
    made = story(state="published")
    with pytest.raises(publishing.NotReady, match="reason"):
        publishing.withdraw(article=made, reason="  ", actor=None, now=now)
    made.refresh_from_db()
    assert made.state == State.PUBLISHED


def test_a_correction_is_dated_and_signed(story: StoryMaker, edda: User, now: datetime) -> None:
    made = story(state="published")
    publishing.correct(article=made, text="It was seven million.", actor=edda, now=now)
    correction = made.corrections.get()
    assert (correction.text, correction.corrected_at, correction.created_by) == ("It was seven million.", now, edda)


def test_an_author_submits_and_cannot_publish(story: StoryMaker, ada: User, now: datetime) -> None:
    made = story()
    made.revisions.update(created_by=ada)
    with pytest.raises(publishing.NotAllowed):
        publishing.publish(article=made, actor=ada, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.schedule(article=made, publish_at=now + timedelta(days=1), actor=ada, now=now)
    publishing.submit(article=made, actor=ada, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.save_revision(article=made, actor=ada, now=now)


def test_an_author_cannot_touch_the_draft_of_another(story: StoryMaker, ada: User, now: datetime) -> None:
    made = story()
    with pytest.raises(publishing.NotAllowed):
        publishing.submit(article=made, actor=ada, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.restore(revision=made.revisions.get(), actor=ada, now=now)


def test_an_editor_corrects_and_cannot_publish_or_withdraw(story: StoryMaker, edda: User, now: datetime) -> None:
    made = story(state="published")
    with pytest.raises(publishing.NotAllowed):
        publishing.withdraw(article=made, reason="Because.", actor=edda, now=now)
    with pytest.raises(publishing.NotAllowed):
        publishing.publish(article=story(), actor=edda, now=now)


def test_a_publisher_may_do_both(story: StoryMaker, paul: User, now: datetime) -> None:
    made = story()
    publishing.publish(article=made, actor=paul, now=now)
    publishing.withdraw(article=made, reason="Because.", actor=paul, now=now)
    assert made.revisions.first().created_by == paul  # type: ignore[union-attr]  # there are versions


def test_the_database_refuses_a_published_story_without_html(story: StoryMaker) -> None:
    made = story()
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=made.pk).update(state=State.PUBLISHED)
    with pytest.raises(IntegrityError), transaction.atomic():
        Article.objects.filter(pk=made.pk).update(state="gone")


def test_a_verb_acts_on_the_row_and_not_on_a_stale_object(story: StoryMaker, now: datetime) -> None:
    made = story()
    stale = Article.objects.get(pk=made.pk)
    publishing.publish(article=made, actor=None, now=now)
    with pytest.raises(publishing.WrongState):
        publishing.publish(article=stale, actor=None, now=now)
    assert stale.revisions.filter(note="Published").count() == 1
