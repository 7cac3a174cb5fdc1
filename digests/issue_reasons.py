"""Reason codes of issues. The sentence is made when it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.reasons import Catalogue, Parameters, Reason
from digests.states import EXCEPTIONS, DeliveryState

if TYPE_CHECKING:
    from digests.models import Issue


class IssueReason(TextChoices):
    """Reasons of an issue's state."""

    BY_HAND = "by_hand", _("A person decided it.")
    REOPENED = "reopened", _("Opened again.")
    NOTHING_PUBLISHED = "nothing_published", _("No story was published in this window.")
    RUN_UNSEEN = (
        "run_unseen",
        _("Missed: the clock did not run at its hour. Its stories go into the next digest."),
    )
    RUN_OVERTAKEN = (
        "run_overtaken",
        _(
            "Left out: its hour had passed when the newsletter's schedule was changed. "
            "Its stories go into the next digest."
        ),
    )
    RUN_TOO_LATE = (
        "run_too_late",
        _("Skipped: the clock came back too late for this run. Its stories go into the next digest."),
    )
    STALE_DIGEST = (
        "stale_digest",
        _("Not sent: it could not begin to leave in time. Its stories go into the next digest."),
    )
    STALE = "stale", _("Not sent: it could not begin to leave in time.")
    NOT_FROZEN = "not_frozen", _("It could not be approved.")
    STORY_WITHDRAWN = "story_withdrawn", _("A story was withdrawn after the approval. Look again and approve.")
    STORY_WITHDRAWN_LATE = "story_withdrawn_late", _("A story was withdrawn while the issue was being sent.")
    TEXT_DAMAGED = "text_damaged", _("The frozen text was damaged in the database. Look again and approve.")
    CLOCK_AHEAD = (
        "clock_ahead",
        _("Composed by a host whose clock was ahead. Look at its stories, then approve or cancel it."),
    )
    REFUSED_IN_A_ROW = "refused_in_a_row", _("Paused after many refusals in a row.")
    REFUSED_ABOUT_US = "refused_about_us", _("Paused: many copies were refused because of us.")
    REFUSED_READERS = "refused_readers", _("Paused: many copies were refused.")
    EXCEPTIONS = "exceptions", _("Some readers may be without a copy.")
    AUDIENCE_DIFFERS = (
        "audience_differs",
        _("The audience and the copies on record differ. Tell those who run this system."),
    )
    DATABASE_FORGOT = (
        "database_forgot",
        _(
            "The database has forgotten copies that left: it was restored, or a replica that lagged took over. "
            "Nothing leaves until manage.py after_restore was run."
        ),
    )
    RESTORED = "restored", _("The database was restored. Look whether this left already, then approve.")
    RESTORED_UNCERTAIN = (
        "restored_uncertain",
        _("The database was restored. Copies that may have left since are uncertain; the others can be resumed."),
    )
    RESTORED_UNKNOWN = (
        "restored_unknown",
        _("The database was restored, and nobody knows which copies left since. Resume: some readers may get two."),
    )


# The circuit breaker paused the issue.
TRIPPED: Final = frozenset({IssueReason.REFUSED_IN_A_ROW, IssueReason.REFUSED_ABOUT_US, IssueReason.REFUSED_READERS})


def _exceptions(parameters: Parameters) -> str:
    """`2 uncertain, 1 expired`."""
    counts = [(parameters[state], DeliveryState(state).label) for state in EXCEPTIONS if parameters.get(state)]
    return ", ".join(f"{count} {str(label).lower()}" for count, label in counts)


def _in_a_row(parameters: Parameters) -> str:
    text = ngettext(
        "Paused after %(count)d refusal. The last one: %(last)s",
        "Paused after %(count)d refusals in a row. The last one: %(last)s",
        parameters["count"],
    )
    return text % parameters


CATALOGUE: Final = Catalogue(
    IssueReason,
    sentences={
        IssueReason.REOPENED: _("Opened again by %(name)s"),
        IssueReason.STORY_WITHDRAWN: _("“%(story)s” was withdrawn after the approval. Look again and approve."),
        IssueReason.STORY_WITHDRAWN_LATE: _("“%(story)s” was withdrawn while the issue was being sent."),
        IssueReason.REFUSED_IN_A_ROW: _in_a_row,
        IssueReason.REFUSED_ABOUT_US: _(
            "Paused: %(refused)s of %(copies)s copies were refused because of us: %(last)s"
        ),
        IssueReason.REFUSED_READERS: _("Paused: %(refused)s of %(copies)s copies were refused. The last one: %(last)s"),
        IssueReason.EXCEPTIONS: _exceptions,
        IssueReason.AUDIENCE_DIFFERS: _(
            "The audience was %(audience)s, but %(copies)s copies are on record. Tell those who run this system."
        ),
    },
)


def choices() -> list[tuple[str, str]]:
    """Every code that `Issue.state_reason` may hold, with its label."""
    return CATALOGUE.choices()


FIELDS: Final = ("state_reason", "state_reason_parameters")


def by_hand(text: str) -> Reason:
    """A person's own words as a reason; no reason if there are none."""
    return Reason(IssueReason.BY_HAND, {"text": text.strip()}) if text.strip() else Reason()


def columns(reason: Reason | IssueReason | None = None) -> dict[str, Any]:
    """The two columns of an issue; without a reason, the values that clear them."""
    if isinstance(reason, IssueReason):
        reason = Reason(reason)
    return (reason or Reason()).columns("state_reason")


def set_reason(issue: Issue, reason: Reason | IssueReason | None = None) -> None:
    """Set the columns on an issue that the caller saves, with FIELDS."""
    for name, value in columns(reason).items():
        setattr(issue, name, value)
