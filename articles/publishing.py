"""The verbs of a story: save, submit, schedule, publish, correct, withdraw, restore.

    draft -> in_review -> approved -> scheduled -> published -> withdrawn, and back by send_back, return_to_draft
    or publish; a step may be left out

Every verb works on the row, not on the object that it was handed: it is one
conditional UPDATE whose row count decides, and the object is refreshed after it.
`actor` is the account that acts; None is the system itself: a tick or a command.
On failure each raises a PublishingError, or MarkupRefused, and nothing has changed.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext_lazy as _

from articles import checklist, markup, notices, permissions, revisions, slugs, states, translations
from articles.models import Article, Correction, ReleaseHorizon, Revision
from articles.refusals import NotAllowed, NotReady, PublishingError, SlugTaken, WrongState
from articles.states import ArticleState
from core import database_clock, locks
from mailkit import message
from mailkit.html import MarkupRefused, Rendered
from staff import audit
from staff.audit_actions import AuditAction

__all__ = [
    "WINDOW_LOCK", "Act", "MarkupRefused", "NotAllowed", "NotReady", "PublishingError", "SlugTaken", "WrongState",
    "approve", "close_window", "correct", "lock_window", "publish", "publish_due", "render_again", "restore",
    "return_to_draft", "save_revision", "schedule", "send_back", "submit", "withdraw",
]  # fmt: skip

log = logging.getLogger(__name__)

# The lock between releasing stories (shared) and composing a window of them (exclusive).
WINDOW_LOCK: Final = "release window"
HORIZON = 1
INSTANT = timedelta(microseconds=1)

DRAFT, IN_REVIEW, APPROVED = Article.State.DRAFT, Article.State.IN_REVIEW, Article.State.APPROVED
SCHEDULED, PUBLISHED, WITHDRAWN = Article.State.SCHEDULED, Article.State.PUBLISHED, Article.State.WITHDRAWN
UNPUBLISHED = states.before(PUBLISHED)


def save_revision(*, article: Article, actor: User | None, now: datetime, note: str = "") -> Revision:
    """Take the story as its rows are: store its HTML, lead its old address here, keep a version.

    Call it after the row, its tags and its bylines have been saved. What changed in a public story is audited,
    and a person who changes its words says why in `note`. On failure besides: NotReady.
    """
    if article.revisions.exists():
        permissions.require_edit(user=actor, article=article)
    else:
        permissions.require(permissions.ADD, user=actor)
    with transaction.atomic():
        last, revision = _keep(article, note, actor, now)
        translations.mark_if_rewritten(original=article, before=last, after=revision, now=now)
        changed = revisions.changed_fields(before=last, after=revision)
        if article.is_public and changed:
            if actor is not None and not note.strip() and last is not None:
                _require_no_new_words(last, revision)
            audit.record(
                action=AuditAction.STORY_REWRITTEN, actor=actor, target=article, now=now, fields=changed, note=note
            )
    return revision


def restore(*, revision: Revision, actor: User | None, now: datetime) -> Revision:
    """Set the story back to a version, as a new version; its address, dates and state stay as they are.

    Tags, authors and pictures that have been deleted since stay away; the new version's note names them.
    """
    with transaction.atomic():
        article = Article.objects.select_for_update(no_key=True).get(pk=revision.article_id)
        permissions.require_edit(user=actor, article=article)
        missing = revisions.put_back(article=article, snapshot=revision.snapshot)
        lost = f" without {', '.join(missing)}, deleted since" if missing else ""
        note = f"Restored from revision {revision.number}{lost}"
        last, restored = _keep(article, note, actor, now)
        translations.mark_if_rewritten(original=article, before=last, after=restored, now=now)
        changed = revisions.changed_fields(before=last, after=restored)
        audit.record(
            action=AuditAction.STORY_RESTORED, actor=actor, target=article, now=now, fields=changed,
            version=revision.number, public=article.is_public,
        )  # fmt: skip
    return restored


def submit(*, article: Article, actor: User | None, now: datetime, assignee: User | None = None) -> None:
    """Hand a draft to the editors, or to one of them."""
    permissions.require_edit(user=actor, article=article)
    _check_ready(Article.objects.get(pk=article.pk))
    detail = {"assignee": assignee.get_username()} if assignee else {}
    act = Act(AuditAction.STORY_SUBMITTED, "Submitted for review", actor, now, detail)
    _move(article, IN_REVIEW, act, assignee=assignee, returned_reason="")
    notices.assigned(article=article, actor=actor)


def approve(*, article: Article, actor: User | None, now: datetime) -> None:
    """Say that a story in review may be published; a publisher or the clock does that."""
    permissions.require(permissions.EDIT_ANY, user=actor, article=article)
    _check_ready(Article.objects.get(pk=article.pk))
    _move(article, APPROVED, Act(AuditAction.STORY_APPROVED, "Approved", actor, now), returned_reason="")
    notices.approved(article=article, actor=actor)


def send_back(*, article: Article, reason: str, actor: User | None, now: datetime) -> None:
    """Give a story that was read back to its author, who finds the reason with it."""
    permissions.require(permissions.EDIT_ANY, user=actor, article=article)
    if not (reason := reason.strip()):
        raise NotReady(_("Say what is to be changed. The author reads it."))
    act = Act(AuditAction.STORY_RETURNED, f"Sent back: {reason}", actor, now, {"reason": reason[:500]})
    _change(article, [IN_REVIEW, APPROVED], DRAFT, act, returned_reason=reason[:500])
    notices.sent_back(article=article, actor=actor)


def return_to_draft(*, article: Article, actor: User | None, now: datetime) -> None:
    """Take a story out of review or off the clock; it is not published then."""
    permissions.require(permissions.EDIT_ANY, user=actor, article=article)
    _move(article, DRAFT, Act(AuditAction.STORY_RETURNED, "Returned to draft", actor, now), publish_at=None)


def schedule(
    *, article: Article, publish_at: datetime, actor: User | None, now: datetime, acknowledge: Collection[str] = ()
) -> None:
    """Let the clock publish a story at a later hour; scheduling again moves the hour.

    A person has to mend or acknowledge what the checklist warns of (`checklist.NotAcknowledged`).
    """
    permissions.require(permissions.PUBLISH, user=actor, article=article)
    if publish_at <= now:
        raise NotReady(_("Choose an hour that is still to come, or publish the story now."))
    _check_ready(Article.objects.get(pk=article.pk))
    _go_through(article, acknowledge, actor, now)
    note = f"Scheduled for {publish_at:%Y-%m-%d %H:%M} UTC"
    act = Act(AuditAction.STORY_SCHEDULED, note, actor, now, {"publish_at": publish_at.isoformat()})
    _move(article, SCHEDULED, act, publish_at=publish_at)


def publish(*, article: Article, actor: User | None, now: datetime, acknowledge: Collection[str] = ()) -> None:
    """Put a story before the readers, also one that was withdrawn.

    A person has to mend or acknowledge what the checklist warns of (`checklist.NotAcknowledged`).

    After: its HTML is stored with its hash; `published_at` is the date that was
    set or `now`; `first_published_at` is set once and lies after every window
    that was composed, so that exactly one later window has the story. So does
    `republished_at` of one that comes back. A `now` ahead of the database's
    clock counts as that clock's time.
    """
    permissions.require(permissions.PUBLISH, user=actor, article=article)
    now = database_clock.not_ahead(moment=now)
    _go_through(article, acknowledge, actor, now)
    _release(article, Q(state__in=UNPUBLISHED), actor, now, shown_from=now)


def publish_due(*, article: Article, now: datetime) -> None:
    """Publish a scheduled story that is due; raises WrongState when it is not one (any more)."""
    now = database_clock.not_ahead(moment=now)
    _release(article, Q(state=SCHEDULED, publish_at__lte=now), None, now, shown_from=F("publish_at"))


def withdraw(*, article: Article, reason: str, actor: User | None, now: datetime) -> None:
    """Take a story back; its address answers 410 and gives the reason."""
    permissions.require(permissions.PUBLISH, user=actor, article=article)
    if not (reason := reason.strip()):
        raise NotReady(_("Give a reason. Readers who come to the address see it."))
    act = Act(AuditAction.STORY_WITHDRAWN, f"Withdrawn: {reason}", actor, now, {"reason": reason[:300]})
    _move(article, WITHDRAWN, act, withdrawn_at=now, withdrawal_reason=reason[:300])


def correct(*, article: Article, text: str, actor: User | None, now: datetime) -> Correction:
    """Add a dated note of what was wrong to a published story."""
    permissions.require(permissions.EDIT_ANY, user=actor, article=article)
    if not (text := text.strip()):
        raise NotReady(_("Say what was wrong, and what is right."))
    with transaction.atomic():
        correction = Correction.objects.create(article=article, text=text, corrected_at=now, created_by=actor)
        act = Act(AuditAction.STORY_CORRECTED, f"Corrected: {text}", actor, now, {"text": text[:300]})
        _change(article, [PUBLISHED], PUBLISHED, act)
        translations.mark_stale(original=article, now=now)
    return correction


def render_again(*, stories: Iterable[Article], now: datetime) -> int:
    """Make the HTML of stories again, after a picture inside them has changed; return how many there were."""
    done = 0
    for story in stories:
        with transaction.atomic():
            row = Article.objects.select_for_update(no_key=True).get(pk=story.pk)
            Article.objects.filter(pk=row.pk).update(updated_at=now, **_columns(_rendered(row)))
        done += 1
    return done


@transaction.atomic
def close_window(*, end: datetime) -> datetime:
    """For composing: once this is committed, no story can be released at or before the instant that it returns.

    That is `end`, or the database's own time where `end` is still to come: a window that was closed
    ahead of it would keep the stories of the time between out of every digest. It waits for releases
    that are under way; a story published later is stamped after the window.
    """
    lock_window()
    now = database_clock.now()
    end = min(end, now)
    horizon, created = ReleaseHorizon.objects.get_or_create(pk=HORIZON, defaults={"closed_until": end})
    if not created:
        ReleaseHorizon.objects.filter(pk=HORIZON).update(closed_until=Greatest(F("closed_until"), end))
    if horizon.closed_until > now + database_clock.TOLERANCE:
        log.error("The release horizon is ahead of the database's clock. See manage.py repair_clock.")
    return end


def lock_window() -> None:
    """Until the transaction ends, nothing is released and no window is closed; waits for what is under way."""
    locks.wait_until_commit(WINDOW_LOCK)


def _enter_window(now: datetime) -> datetime:
    """Wait while a window is closed; return the instant at which a story may be released."""
    locks.share_until_commit(WINDOW_LOCK)
    horizon = ReleaseHorizon.objects.filter(pk=HORIZON).first()
    return max(now, horizon.closed_until + INSTANT) if horizon else now


def _release(article: Article, condition: Q, actor: User | None, now: datetime, *, shown_from: Any) -> None:
    """Publish the row if the condition holds, and the text is still the one that was rendered here."""
    row = Article.objects.get(pk=article.pk)
    rendered = _check_ready(row)
    with transaction.atomic():
        released_at = _enter_window(now)
        published = (
            Article.objects.filter(condition, pk=row.pk, headline=row.headline, body_markdown=row.body_markdown)
            .update(
                state=PUBLISHED,
                published_at=Coalesce("published_at", shown_from),
                first_published_at=Coalesce("first_published_at", released_at),
                republished_at=Case(When(first_published_at__isnull=False, then=released_at)),
                publish_at=None,
                withdrawn_at=None,
                withdrawal_reason="",
                updated_at=now,
                **_columns(rendered),
            )
        )  # fmt: skip
        if published != 1:
            raise _mismatch(row.pk, PUBLISHED, UNPUBLISHED)
        article.refresh_from_db()
        revisions.record(article=article, actor=actor, note="Published", now=now)
        audit.record(action=AuditAction.STORY_PUBLISHED, actor=actor, target=article, now=now)


def _keep(article: Article, note: str, actor: User | None, now: datetime) -> tuple[Revision | None, Revision]:
    """Store the rows of the story as its next version; return the one before and this one."""
    saved = Article.objects.select_for_update(no_key=True).get(pk=article.pk)
    rendered = _rendered(saved)
    slugs.check(slug=saved.slug, article_id=saved.pk)
    last = saved.revisions.first()
    permissions.require_section(
        user=actor, section=saved.section_id, before=last.snapshot["section"]["id"] if last else None
    )
    slugs.moved(article=saved, old=last.snapshot["slug"] if last else saved.slug)
    Article.objects.filter(pk=saved.pk).update(updated_at=now, **_columns(rendered))
    revision = revisions.record(article=saved, actor=actor, note=note, now=now)
    article.refresh_from_db()
    return last, revision


def _require_no_new_words(before: Revision, after: Revision) -> None:
    if revisions.changed_words(before=before.snapshot, after=after.snapshot):
        raise NotReady(_("Readers know these words already. Say what you change, and why."))


@dataclass(frozen=True, slots=True)
class Act:
    """One act on a story: for the audit log, and with `note` for its versions."""

    action: AuditAction
    note: str
    actor: User | None
    now: datetime
    detail: dict[str, Any] = field(default_factory=dict)


def _go_through(article: Article, acknowledge: Collection[str], actor: User | None, now: datetime) -> None:
    """Let a person answer for the checklist; the clock and commands act on what a person decided."""
    if actor is not None:
        row = Article.objects.get(pk=article.pk)
        # Committed before the story is released: the audit log's lock comes after all others.
        with transaction.atomic():
            checklist.acknowledge(article=row, keys=acknowledge, actor=actor, now=now)
            checklist.require(article=row)


def _move(article: Article, to: ArticleState, act: Act, **columns: Any) -> None:
    """Change the state if the row is in one from which `to` is reached, and keep the act."""
    _change(article, states.before(to), to, act, **columns)


def _change(article: Article, expected: Collection[str], to: ArticleState, act: Act, **columns: Any) -> None:
    """Change the state if the row is in one of the expected ones; keep a version, and the act in the audit log."""
    with transaction.atomic():
        row = Article.objects.filter(pk=article.pk, state__in=expected)
        if row.update(state=to, updated_at=act.now, **columns) != 1:
            raise _mismatch(article.pk, to, expected)
        article.refresh_from_db()
        revisions.record(article=article, actor=act.actor, note=act.note, now=act.now)
        audit.record(action=act.action, actor=act.actor, target=article, now=act.now, **act.detail)


def _mismatch(pk: int, to: ArticleState, expected: Collection[str]) -> PublishingError:
    state = Article.State(Article.objects.values_list("state", flat=True).get(pk=pk))
    if state in expected:
        return WrongState(_("Somebody saved the story at the same moment. Look at it again, then repeat this."))
    if state == to:
        return WrongState(_("The story is %(state)s already.") % {"state": state.label.lower()})
    return WrongState(
        _("The story is %(state)s now, so it cannot become %(target)s.")
        % {"state": state.label.lower(), "target": to.label.lower()}
    )


def _check_ready(article: Article) -> Rendered:
    """What readers would get; raises NotReady when there is nothing to read."""
    rendered = _rendered(article)
    if not rendered.text.strip() and "<img" not in rendered.html:
        raise NotReady(_("Write the text first."))
    return rendered


def _rendered(article: Article) -> Rendered:
    try:
        message.check_header_text(article.headline)
    except message.UnsafeHeaderText as error:
        raise NotReady(f"Headline: {error}") from error
    if not article.headline.strip():
        raise NotReady(_("Write a headline first."))
    return markup.render(article.body_markdown)


def _columns(rendered: Rendered) -> dict[str, str]:
    return {"body_html": rendered.html, "body_text": rendered.text, "body_sha256": rendered.sha256}
