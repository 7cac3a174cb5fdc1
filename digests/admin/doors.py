"""The verbs of an issue as pages of the admin: a GET asks, a POST acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from digests import approval, freezing, proofs, uncertain
from digests.admin import forms
from digests.models import Issue
from publication import database_clock
from subscribers import unmailed

State = Issue.State
SEND = "digests.send_issue"
CHANGE = "digests.change_issue"
REFUSALS = (approval.NotAllowed, freezing.NotFrozen, proofs.NotSent, uncertain.NotAllowed)


@dataclass(frozen=True, slots=True)
class Door:
    """One thing that can be done to an issue: when it is offered, what it asks, what it says."""

    name: str
    label: str
    explanation: str
    done: str
    icon: str
    states: frozenset[str]
    run: Callable[[Issue, AbstractUser, Mapping[str, Any], datetime], object]
    form: type[forms.Confirm] = forms.Confirm
    permission: str = SEND
    variant: str = "default"

    def is_open(self, *, user: AbstractUser, issue: Issue) -> bool:
        """Whether it fits the issue's state and the user's rights. The verb itself asks for the state again."""
        return issue.state in self.states and user.has_perm(self.permission)


def _approve(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> object:
    return approval.approve(issue=issue, actor=actor, now=now, when=data["when"])


def _reopen(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> object:
    return approval.reopen(issue=issue, reason=f"Opened again by {actor.get_username()}", now=now)


def _pause(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> object:
    return approval.pause(issue=issue, reason=data["reason"], now=now)


def _resume(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> object:
    return approval.resume(issue=issue, now=now)


def _cancel(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> object:
    return approval.cancel(issue=issue, reason=data["reason"], now=now)


def _proof(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> None:
    for address in data["to"]:
        proofs.send_proof(issue=issue, to=address, actor=actor, now=now)


def _accept(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> object:
    return uncertain.accept(issue=issue, deliveries=None, now=now)


def _resend(issue: Issue, actor: AbstractUser, data: Mapping[str, Any], now: datetime) -> object:
    return uncertain.resend(issue=issue, deliveries=None, now=now)


DOORS = (
    Door(
        name="proof",
        label="Send a proof",
        icon="outgoing_mail",
        explanation="The mail goes out as readers would get it, marked as a proof. Its links unsubscribe nobody.",
        done="The proof is on its way.",
        states=frozenset(set(State.values) - {State.CANCELLED}),
        run=_proof,
        form=forms.Proof,
        permission=CHANGE,
    ),
    Door(
        name="approve",
        label="Approve and send",
        icon="send",
        explanation="What you approve is frozen: this very text goes to every reader, and into the archive.",
        done="The issue is approved.",
        states=frozenset({State.DRAFT}),
        run=_approve,
        form=forms.Approve,
        variant="primary",
    ),
    Door(
        name="reopen",
        label="Back to draft",
        icon="undo",
        explanation="Nothing has left yet. The approval is taken back and the issue can be edited again.",
        done="The issue is a draft again.",
        states=frozenset({State.SCHEDULED}),
        run=_reopen,
    ),
    Door(
        name="pause",
        label="Pause",
        icon="pause",
        explanation="Copies that are on their way at this moment still leave; the others wait.",
        done="The issue is paused.",
        states=frozenset({State.SENDING}),
        run=_pause,
        form=forms.Reason,
        variant="warning",
    ),
    Door(
        name="resume",
        label="Resume",
        icon="play_arrow",
        explanation="Sending goes on where it stopped. Nobody gets a second copy.",
        done="The issue is being sent again.",
        states=frozenset({State.PAUSED}),
        run=_resume,
        variant="primary",
    ),
    Door(
        name="accept",
        label="Call all uncertain copies accepted",
        icon="done_all",
        explanation="Of these copies the receiving server's answer was lost. You decide that they arrived.",
        done="The uncertain copies count as accepted.",
        states=frozenset({State.SENDING, State.PAUSED, State.SENT_WITH_EXCEPTIONS}),
        run=_accept,
    ),
    Door(
        name="resend",
        label="Send all uncertain copies again",
        icon="refresh",
        explanation="Of these copies the receiving server's answer was lost. Some readers may get the mail twice.",
        done="The uncertain copies are sent again.",
        states=frozenset({State.SENDING, State.PAUSED, State.SENT_WITH_EXCEPTIONS}),
        run=_resend,
        variant="warning",
    ),
    Door(
        name="cancel",
        label="Cancel",
        icon="cancel",
        explanation="The issue ends for good, and its page says so. Copies that left cannot be called back.",
        done="The issue is cancelled.",
        states=frozenset({State.DRAFT, State.SCHEDULED, State.PREPARING, State.SENDING, State.PAUSED}),
        run=_cancel,
        form=forms.Reason,
        variant="danger",
    ),
)
BY_NAME = {door.name: door for door in DOORS}
# Offered beside the number of the uncertain copies, not among the buttons.
OF_UNCERTAIN = ("accept", "resend")


def facts(*, issue: Issue, now: datetime) -> dict[str, Any]:
    """How many readers the issue would have now, who is left out and why, and how many the one before had."""
    return {
        "audience": issue.readers(now=now).count(),
        "unmailed": str(unmailed.among(issue.subscriptions(), now=now)),
        "last_audience": _last_audience(issue),
    }


def form(*, door: Door, issue: Issue, data: Any, now: datetime) -> forms.Confirm:
    """What the door asks, bound to what was typed if anything was."""
    return door.form(data, **facts(issue=issue, now=now))


def act(*, door: Door, issue: Issue, actor: AbstractUser, data: Any) -> forms.Confirm:
    """Fill in the door's form and, when it is right, run its verb; what was wrong stands in the form's errors.

    Hours are read in the newsletter's time zone.
    """
    now = database_clock.now()
    with timezone.override(ZoneInfo(issue.newsletter.time_zone)):
        filled = form(door=door, issue=issue, data=data, now=now)
        if filled.is_valid():
            try:
                door.run(issue, actor, filled.cleaned_data, now)
            except REFUSALS as refusal:
                filled.add_error(None, str(refusal))
    return filled


def _last_audience(issue: Issue) -> int | None:
    """Of the last issue of the same line that had readers, else of the newsletter's last one."""
    planned = Issue.objects.filter(newsletter=issue.newsletter_id, audience_count__isnull=False).exclude(pk=issue.pk)
    line = planned.filter(kind=issue.kind, cadence=issue.cadence)
    last = line.order_by("-planned_at").first() or planned.order_by("-planned_at").first()
    return last.audience_count if last else None
