"""Each act on a story is in the audit log, with the person and the story; a refused one is not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from articles import deletion, mending, publishing
from articles.models import Article
from articles.tests.conftest import StoryMaker
from staff import audit
from staff.audit_actions import AuditAction
from staff.models import AuditEvent
from tests.cast import signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
Act = Callable[[Article, User | None, datetime], Any]


def rewrite(article: Article, actor: User | None, now: datetime) -> None:
    Article.objects.filter(pk=article.pk).update(headline="Other words")
    publishing.save_revision(article=article, actor=actor, now=now, note="A wrong name.")


def restore(article: Article, actor: User | None, now: datetime) -> None:
    rewrite(article, None, now)
    publishing.restore(revision=article.revisions.get(number=1), actor=actor, now=now)


def mend(article: Article, actor: User | None, now: datetime) -> None:
    correction = publishing.correct(article=article, text="It was Tuesday.", actor=None, now=now)
    mending.mend(correction=correction, text="It was Monday.", actor=actor, now=now)


# Act -> how it is done, in which state, its action, and what else the log tells.
ACTS: dict[str, tuple[Act, str, AuditAction, dict[str, Any]]] = {
    "submit": (
        lambda story, actor, now: publishing.submit(article=story, actor=actor, now=now),
        "draft", AuditAction.STORY_SUBMITTED, {},
    ),
    "return": (
        lambda story, actor, now: publishing.return_to_draft(article=story, actor=actor, now=now),
        "in_review", AuditAction.STORY_RETURNED, {},
    ),
    "schedule": (
        lambda story, actor, now: publishing.schedule(article=story, publish_at=now + HOUR, actor=actor, now=now),
        "draft", AuditAction.STORY_SCHEDULED, {"publish_at": ...},
    ),
    "publish": (
        lambda story, actor, now: publishing.publish(article=story, actor=actor, now=now),
        "in_review", AuditAction.STORY_PUBLISHED, {},
    ),
    "correct": (
        lambda story, actor, now: publishing.correct(article=story, text="It was Tuesday.", actor=actor, now=now),
        "published", AuditAction.STORY_CORRECTED, {"text": "It was Tuesday."},
    ),
    "mend": (
        mend, "published", AuditAction.CORRECTION_MENDED, {"before": "It was Tuesday.", "text": "It was Monday."},
    ),
    "withdraw": (
        lambda story, actor, now: publishing.withdraw(article=story, reason="Not true.", actor=actor, now=now),
        "published", AuditAction.STORY_WITHDRAWN, {"reason": "Not true."},
    ),
    "rewrite": (rewrite, "published", AuditAction.STORY_REWRITTEN, {"fields": ["headline"], "note": "A wrong name."}),
    "restore": (
        restore, "published", AuditAction.STORY_RESTORED, {"fields": ["headline"], "version": 1, "public": True},
    ),
    "delete": (
        lambda story, actor, now: deletion.delete(article=story, actor=actor, now=now),
        "draft", AuditAction.STORY_DELETED, {},
    ),
}  # fmt: skip


@rows("name", ACTS)
def test_an_act_is_recorded_with_person_and_story(story: StoryMaker, paul: User, now: datetime, name: str) -> None:
    act, state, action, detail = ACTS[name]
    article = story(state=state)
    number, title = str(article.pk), str(article)
    act(article, paul, now)
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_id, event.actor_name) == (action, paul.pk, paul.get_username())
    assert (event.object_type, event.object_id) == ("articles.article", number)
    assert event.object_name in {title, "Other words"}
    assert event.occurred_at == now
    assert event.detail == {key: event.detail.get(key) if value is ... else value for key, value in detail.items()}
    assert list(audit.links())


@rows("name", ACTS)
def test_a_refused_act_and_one_that_is_rolled_back_leave_nothing(
    story: StoryMaker, ada: User, now: datetime, name: str
) -> None:
    act, state, action, _detail = ACTS[name]
    article = story(state=state)
    before = AuditEvent.objects.filter(action=action).count()
    with pytest.raises(publishing.PublishingError):
        act(article, ada, now)
    with transaction.atomic():
        act(article, None, now)
        transaction.set_rollback(True)
    assert AuditEvent.objects.filter(action=action).count() == before


def test_what_the_clock_publishes_has_no_person(story: StoryMaker, now: datetime) -> None:
    article = story()
    publishing.schedule(article=article, publish_at=now + HOUR, actor=None, now=now)
    Article.objects.update(publish_at=now)
    publishing.publish_due(article=article, now=now)
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_id, event.actor_name) == (AuditAction.STORY_PUBLISHED, None, "")


def test_a_draft_is_saved_without_an_entry_and_so_is_a_public_story_that_did_not_change(
    story: StoryMaker, paul: User, now: datetime
) -> None:
    for state in ("draft", "published"):
        article = story(state=state)
        before = AuditEvent.objects.count()
        if state == "draft":
            rewrite(article, paul, now)
        publishing.save_revision(article=article, actor=paul, now=now)
        assert AuditEvent.objects.count() == before


def test_new_words_of_a_live_story_need_a_reason(story: StoryMaker, edda: User, now: datetime) -> None:
    article = story(state="published")
    page, client = f"/admin/articles/article/{article.pk}/change/", signed_in(edda)
    context = client.get(page).context
    data = {
        "headline": "Other words", "slug": article.slug, "standfirst": article.standfirst,
        "body_markdown": "Some **bold** words.\r\n", "section": article.section_id, "base": "2",
        "published_at_0": f"{now:%Y-%m-%d}", "published_at_1": f"{now:%H:%M:%S}",
    }  # fmt: skip
    for inline in context["inline_admin_formsets"]:
        data |= {f"{inline.formset.prefix}-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    refused = client.post(page, data)
    assert refused.context["adminform"].form.errors["why"]
    assert client.post(page, data | {"headline": article.headline}).status_code == 302
    assert client.post(page, data | {"why": "A wrong name."}).status_code == 302
    assert article.revisions.first().note == "A wrong name."  # type: ignore[union-attr]  # it was saved
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.detail["note"]) == (AuditAction.STORY_REWRITTEN, "A wrong name.")
    Article.objects.filter(pk=article.pk).update(headline="Yet others")
    with pytest.raises(publishing.NotReady):
        publishing.save_revision(article=article, actor=edda, now=now)
