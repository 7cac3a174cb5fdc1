"""The admin actions of an issue; `publication.row_actions` offers and runs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from core.reasons import Reason
from digests import (
    approval,
    failed,
    freezing,
    issue_content,
    permissions,
    proofs,
    readership,
    rendering,
    rest,
    second_person,
    uncertain,
    variant_names,
)
from digests.admin import forms, leaving
from digests.issue_reasons import IssueReason
from digests.models import Issue
from digests.preflight import checking, history
from publication import hours
from publication.row_actions import Action
from staff import names
from subscribers import unmailed

State = Issue.State
SEND, CHANGE = permissions.SEND, permissions.CHANGE
REFUSALS = (
    approval.NotAllowed, checking.Blocked, checking.Changed, failed.NotAllowed, freezing.NotFrozen, proofs.NotSent,
    rest.NotAllowed, second_person.NotAllowed, uncertain.NotAllowed,
)  # fmt: skip

# Stories that the approval page names.
SHOWN_STORIES = 12


def _approve(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return approval.approve(
        issue=issue, actor=actor, now=now, when=data["when"], accepted=data["accepted"], seen=data["seen"]
    )


def _ask(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return second_person.ask(issue=issue, actor=actor, now=now)


def _may_ask(user: User, issue: Issue) -> bool:
    return issue.asked_by_id != user.pk


def _may_approve(user: User, issue: Issue) -> bool:
    return second_person.may_approve(issue=issue, actor=user)


def _reopen(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return approval.reopen(
        issue=issue, reason=Reason(IssueReason.REOPENED, {"name": names.of(actor)}), actor=actor, now=now
    )


def _pause(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return approval.pause(issue=issue, reason=data["reason"], actor=actor, now=now)


def _resume(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return approval.resume(issue=issue, actor=actor, now=now)


def _cancel(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return approval.cancel(issue=issue, reason=data["reason"], actor=actor, now=now)


def _proof(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> None:
    for address in data["to"]:
        proofs.send_proof(issue=issue, to=address, actor=actor, now=now, variant=data.get("variant", ""))


def _accept(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return uncertain.accept(issue=issue, deliveries=None, actor=actor, now=now)


def _resend(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return uncertain.resend(issue=issue, deliveries=None, actor=actor, now=now)


def _rest(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return rest.send(issue=issue, actor=actor, now=now)


def _failed(issue: Issue, actor: User, data: Mapping[str, Any], now: datetime) -> object:
    return failed.send(issue=issue, actor=actor, now=now)


def _has_failed(_user: User, issue: Issue) -> bool:
    return failed.size(issue=issue) > 0


def _has_rest(_user: User, issue: Issue) -> bool:
    return rest.size(issue=issue) > 0


_ACTIONS: tuple[Action[Issue], ...] = (
    Action(
        name="proof",
        label=_("Send a proof"),
        icon="outgoing_mail",
        explanation=_("The mail goes out as readers would get it, marked as a proof. Its links unsubscribe nobody."),
        done=_("The proof is on its way."),
        states=frozenset(set(State.values) - {State.CANCELLED}),
        run=_proof,
        form=forms.Proof,
        permission=CHANGE,
    ),
    Action(
        name="approve",
        label=_("Approve and send"),
        icon="send",
        explanation=_("What you approve is frozen: this very text goes to every reader, and into the archive."),
        done=_("The issue is approved."),
        states=frozenset({State.DRAFT}),
        run=_approve,
        permission=SEND,
        reauthenticate=True,
        fits=_may_approve,
        form=forms.Approve,
        template="admin/digests/issue/approve.html",
        variant="primary",
    ),
    Action(
        name="ask",
        label=_("Ask for approval"),
        icon="how_to_reg",
        explanation=_("The issue appears on the first page of everybody who may approve it, until one of them does."),
        done=_("The issue waits for somebody else to approve it."),
        states=frozenset({State.DRAFT}),
        run=_ask,
        fits=_may_ask,
        permission=CHANGE,
    ),
    Action(
        name="reopen",
        label=_("Take it back"),
        icon="undo",
        explanation=_("Nothing has left yet. The approval is taken back and the issue can be edited again."),
        done=_("The issue is a draft again."),
        states=frozenset({State.SCHEDULED}),
        run=_reopen,
        permission=SEND,
    ),
    Action(
        name="pause",
        label=_("Pause"),
        icon="pause",
        explanation=_("Copies that are on their way at this moment still leave; the others wait."),
        done=_("The issue is paused."),
        states=frozenset({State.SENDING}),
        run=_pause,
        permission=SEND,
        form=forms.Reason,
        variant="warning",
    ),
    Action(
        name="resume",
        label=_("Resume"),
        icon="play_arrow",
        explanation=_("Sending goes on where it stopped. Nobody gets a second copy."),
        done=_("The issue is being sent again."),
        states=frozenset({State.PAUSED}),
        run=_resume,
        permission=SEND,
        reauthenticate=True,
        variant="primary",
    ),
    Action(
        name="rest",
        label=_("Send the rest"),
        icon="play_arrow",
        explanation=_(
            "The issue goes on where it was cancelled, with the same text. Nobody who got it, or may have got it, "
            "gets another copy; who unsubscribed, paused or bounced meanwhile gets none."
        ),
        done=_("The rest is being sent."),
        states=frozenset({State.CANCELLED}),
        run=_rest,
        permission=SEND,
        reauthenticate=True,
        form=forms.Rest,
        fits=_has_rest,
        template="admin/digests/issue/rest.html",
        variant="primary",
    ),
    Action(
        name="failed",
        label=_("Send what failed again"),
        icon="refresh",
        explanation=_(
            "Only copies that certainly did not arrive leave again: those that became too old, were refused for our "
            "sake or for the moment, or could not be built. Nobody who got it, or may have got it, gets another; nor "
            "does who unsubscribed, paused, is blocked or has no such mailbox."
        ),
        done=_("What failed is being sent again."),
        states=frozenset(failed.FINISHED),
        run=_failed,
        permission=SEND,
        reauthenticate=True,
        form=forms.Failed,
        fits=_has_failed,
        template="admin/digests/issue/failed.html",
        variant="primary",
    ),
    Action(
        name="accept",
        label=_("Call all uncertain copies accepted"),
        icon="done_all",
        explanation=_(
            "Nobody gets a second copy. A reader whose copy did not arrive goes without this issue, "
            "and is not listed any more."
        ),
        done=_("The uncertain copies count as accepted."),
        states=frozenset({State.SENDING, State.PAUSED, State.SENT_WITH_EXCEPTIONS}),
        run=_accept,
        permission=SEND,
    ),
    Action(
        name="resend",
        label=_("Send all uncertain copies again"),
        icon="refresh",
        explanation=_(
            "Every reader gets this issue. Those whose copy had arrived get it twice, and cannot be told apart."
        ),
        done=_("The uncertain copies are sent again."),
        states=frozenset({State.SENDING, State.PAUSED, State.SENT_WITH_EXCEPTIONS}),
        run=_resend,
        permission=SEND,
        reauthenticate=True,
        variant="warning",
    ),
    Action(
        name="cancel",
        label=_("Cancel"),
        icon="cancel",
        explanation=_("The issue ends for good, and its page says so. Copies that left cannot be called back."),
        done=_("The issue is cancelled."),
        states=frozenset({State.DRAFT, State.SCHEDULED, State.PREPARING, State.SENDING, State.PAUSED}),
        run=_cancel,
        permission=SEND,
        form=forms.Reason,
        variant="danger",
    ),
)
ACTIONS = {action.name: action for action in _ACTIONS}
# Shown beside the number of uncertain copies, not among the buttons.
OF_UNCERTAIN = ("accept", "resend")


def offered(*, issue: Issue, user: User) -> set[str]:
    """The names of what this person may do with the issue now."""
    return {action.name for action in _ACTIONS if action.is_offered(user=user, row=issue)}


def rest_facts(*, issue: Issue, now: datetime) -> dict[str, Any]:
    """How many the cancellation kept back, how many of these may be mailed now, and whether it was corrected."""
    return {
        "copies": rest.size(issue=issue),
        "readers": rest.readers(issue=issue, now=now),
        "corrections": issue.corrections.exclude(state=State.CANCELLED).exists(),
    }


def failed_facts(*, issue: Issue, now: datetime) -> dict[str, Any]:
    """How many copies failed, and how many of their readers may be mailed now."""
    return {"copies": failed.size(issue=issue), "readers": failed.copies(issue=issue, now=now).count()}


def audience_facts(*, issue: Issue, now: datetime) -> dict[str, Any]:
    """The current audience, who is left out and why, and the audience of the previous issue."""
    words = issue_content.load(issue=issue, now=now)
    return {
        "audience": issue.readers(now=now).count(),
        "unmailed": str(unmailed.among(issue.subscriptions(), now=now)),
        "last_audience": history.last_audience(issue=issue),
        "report": checking.report(issue=issue, now=now, words=words),
        **variant_facts(issue=issue, now=now),
        "subject": _subject(issue, words),
        "stories": issue.items.public().with_stories()[:SHOWN_STORIES],
        "leaves": _hour(issue, now),
        "hours": leaving.forecast(issue=issue, now=now),
        "undo": settings.UNDO_SECONDS,
    }


def variant_facts(*, issue: Issue, now: datetime) -> dict[str, Any]:
    """The texts that the issue has and who gets them, how many get none, and how many get all for want of a text."""
    read = readership.expected(issue=issue, now=now)
    named = variant_names.forecast(issue=issue, read=read)
    return {
        "variants": named,
        "texts": len([text for text in named if text.is_mail]),
        "limited": read.limited,
        "most_variants": settings.VARIANTS_PER_ISSUE,
    }


def _subject(issue: Issue, words: issue_content.IssueContent) -> str:
    """The subject as readers would see it; what the editor wrote while the issue cannot be rendered."""
    try:
        subject, _preheader = rendering.inbox_line(content=words)
    except rendering.RenderingError:
        return issue.subject
    return subject


def _hour(issue: Issue, now: datetime) -> str:
    """When it would leave, in words."""
    if issue.scheduled_for is None or issue.scheduled_for <= now:
        return str(_("at once"))
    return hours.when(issue.scheduled_for, zone=issue.newsletter.time_zone, now=now)
