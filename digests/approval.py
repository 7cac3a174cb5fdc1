"""Approve, move, reopen, pause, resume and cancel an issue. Every entry point calls these verbs.

Each verb is one conditional UPDATE on the issue's row; its row count decides. So two tabs, two people or a
repeated click cannot both succeed. A wake-up after the commit tells the engine. If it is lost, the engine
finds the change in the row within a minute.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from core import database_clock
from core.reasons import Reason
from digests import freezing, issue_reasons, permissions, second_person, states, undo
from digests.models import Issue, IssueItem, Snapshot
from digests.preflight import checking
from digests.sending import tasks
from staff import audit
from staff.audit_actions import AuditAction

State = Issue.State


class NotAllowed(Exception):
    """The issue is not in a state that allows this; str() is a sentence for a person."""


def approve(
    *,
    issue: Issue,
    actor: AbstractBaseUser | None,
    now: datetime,
    when: datetime | None = None,
    accepted: Collection[str] = (),
    seen: str = "",
) -> Issue:
    """Freeze a draft and schedule it for `when`, or for the time set on it, or for now; a person's waits a while.

    The snapshot is made here, before the issue is locked, so what is approved is what leaves. With `actor` None
    the newsletter approves automatically, and stories that were withdrawn in the meantime are left out. With a
    person, such a story is an error. `accepted` are the warnings of preflight that the person accepts, by their
    keys; `seen` is the fingerprint of the report that they looked at. Raises NotAllowed unless the issue is a draft,
    and the errors of `freezing`, `second_person` and `checking`.
    """
    return _freeze(issue, actor, now, _Approval(when=when, accepted=accepted, seen=seen))


def move(*, issue: Issue, when: datetime, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """Let an approved issue leave at another hour. It is frozen again, with that day in its head.

    So it is another approval: the person needs the same right and answers for the text as it is now. Warnings that
    were accepted before stay accepted. On failure: as `approve`, and the issue leaves when it would have.
    """
    return _freeze(issue, actor, now, _Approval(when=when, source=State.SCHEDULED, action=AuditAction.ISSUE_MOVED))


@transaction.atomic
def reopen(*, issue: Issue, reason: Reason, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """Take an approval back while nothing has left. The snapshot is deleted and the draft can be edited again."""
    permissions.require(permissions.SEND, user=actor, issue=issue)
    refusal = _("Only a scheduled issue can be opened again; this one is %(state)s.")
    _move(issue, {State.SCHEDULED}, State.DRAFT, reason, refusal, now)
    Snapshot.objects.filter(issue=issue).delete()
    hour = undo.wish_after(issue=issue)
    Issue.objects.filter(pk=issue.pk).update(
        approved_by=None, approved_at=None, asked_by=None, scheduled_for=hour, updated_at=now
    )
    issue.refresh_from_db()
    audit.record(action=AuditAction.ISSUE_REOPENED, actor=actor, target=issue, now=now, reason=issue.reason_sentence)
    return issue


@transaction.atomic
def pause(*, issue: Issue, reason: str, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """Pause an issue that is being sent, for a reason in a person's words. Only the copies in flight still leave."""
    permissions.require(permissions.SEND, user=actor, issue=issue)
    why = issue_reasons.by_hand(reason)
    refusal = _("Only an issue that is being sent can be paused; this one is %(state)s.")
    _move(issue, {State.SENDING}, State.PAUSED, why, refusal, now)
    for instead in issue.catch_ups.filter(state=State.SENDING):
        pause(issue=instead, reason=reason, actor=actor, now=now)
    audit.record(action=AuditAction.ISSUE_PAUSED, actor=actor, target=issue, now=now, reason=reason[:300])
    return issue


@transaction.atomic
def resume(*, issue: Issue, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """Continue a paused issue where it stopped."""
    permissions.require(permissions.SEND, user=actor, issue=issue)
    refusal = _("Only a paused issue can be resumed; this one is %(state)s.")
    _move(issue, {State.PAUSED}, State.SENDING, Reason(), refusal, now)
    tasks.hint_wake(issue.pk)
    for instead in issue.catch_ups.filter(state=State.PAUSED):
        resume(issue=instead, actor=actor, now=now)
    audit.record(action=AuditAction.ISSUE_RESUMED, actor=actor, target=issue, now=now)
    return issue


@transaction.atomic
def cancel(*, issue: Issue, reason: str, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """Stop an issue permanently. Only the copies in flight still leave; the others become `cancelled`.

    So do those of the issues that some readers get in its place, as with a pause.
    """
    permissions.require(permissions.SEND, user=actor, issue=issue)
    _move(
        issue,
        states.STOPPABLE,
        State.CANCELLED,
        issue_reasons.by_hand(reason),
        _("Only an issue that is not finished can be cancelled; this one is %(state)s."),
        now,
    )
    tasks.hint_wake(issue.pk)
    for instead in issue.catch_ups.filter(state__in=states.STOPPABLE):
        cancel(issue=instead, reason=reason, actor=actor, now=now)
    audit.record(action=AuditAction.ISSUE_CANCELLED, actor=actor, target=issue, now=now, reason=reason[:300])
    return issue


@dataclass(frozen=True, slots=True)
class _Approval:
    """What is approved: a draft, or for another hour an issue that is approved already."""

    when: datetime | None
    accepted: Collection[str] = ()
    seen: str = ""
    source: Issue.State = State.DRAFT
    action: AuditAction = AuditAction.ISSUE_APPROVED


def _freeze(issue: Issue, actor: AbstractBaseUser | None, now: datetime, asked: _Approval) -> Issue:
    permissions.require(permissions.SEND, user=actor, issue=issue)
    now = database_clock.not_ahead(moment=now)
    current = Issue.objects.get(pk=issue.pk)
    _check_state(current, asked)
    if actor is not None:
        _check_public(current)
    is_frozen = asked.source == State.SCHEDULED
    for prepared in freezing.attempts(issue=issue, now=now, leaves_at=asked.when, again=is_frozen):
        report = checking.check(
            issue=issue, prepared=prepared, actor=actor, accepted=asked.accepted, now=now, seen=asked.seen
        )
        try:
            _approve(issue, prepared, report, actor, now, asked)
        except freezing.Outdated:
            continue
        break
    issue.refresh_from_db()
    return issue


@transaction.atomic
def _approve(
    issue: Issue,
    prepared: freezing.Prepared | None,
    report: checking.Report,
    actor: AbstractBaseUser | None,
    now: datetime,
    asked: _Approval,
) -> None:
    locked = Issue.objects.select_related("newsletter").select_for_update(of=("self",), no_key=True).get(pk=issue.pk)
    _check_state(locked, asked)
    second_person.check(issue=locked, actor=actor)
    if actor is not None:
        _check_public(locked)
    if asked.source == State.SCHEDULED:
        Snapshot.objects.filter(issue=locked).delete()
    snapshot = freezing.store(issue=locked, prepared=prepared, now=now)
    locked.state = State.SCHEDULED
    issue_reasons.set_reason(locked)
    locked.approves_itself = False
    locked.approved_by_id = actor.pk if actor else None
    locked.approved_at = now
    locked.scheduled_for = undo.leaves_at(wanted=asked.when or locked.scheduled_for or now, actor=actor)
    locked.save(
        update_fields=[
            "state", *issue_reasons.FIELDS, "approves_itself", "approved_by", "approved_at", "scheduled_for",
            "updated_at",
        ]
    )  # fmt: skip
    tasks.hint_wake_in((locked.scheduled_for - now).total_seconds(), locked.pk)
    audit.record(
        action=asked.action, actor=actor, target=locked, now=now,
        scheduled_for=locked.scheduled_for.isoformat(), snapshot=snapshot.sha256,
        accepted=sorted(one.text for one in report.warnings if one.key in report.acknowledged),
    )  # fmt: skip


def _check_state(issue: Issue, asked: _Approval) -> None:
    if issue.state == asked.source:
        return
    refusal = _("Only a draft can be approved; this issue is %(state)s.")
    if asked.source == State.SCHEDULED:
        refusal = _("Only an issue that has not begun to leave can be moved; this one is %(state)s.")
    raise NotAllowed(refusal % {"state": issue.get_state_display().lower()})


def _check_public(issue: Issue) -> None:
    """Refuse if a story was withdrawn: the person would approve something other than what they saw."""
    gone = IssueItem.objects.filter(issue=issue).gone()
    if (item := gone.with_stories().first()) is not None:
        raise NotAllowed(
            _("“%(article)s” is not public any more. Leave it out, look again, and approve.")
            % {"article": item.article}
        )


def _move(issue: Issue, sources: Collection[str], target: State, reason: Reason, refusal: str, now: datetime) -> Issue:
    # `updated_at` says since when the issue has been in this state.
    moved = Issue.objects.filter(pk=issue.pk, state__in=sources).update(
        state=target, updated_at=now, **issue_reasons.columns(reason)
    )
    issue.refresh_from_db()
    if not moved:
        raise NotAllowed(refusal % {"state": issue.get_state_display().lower()})
    return issue
