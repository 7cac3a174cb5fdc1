"""The states of issues and deliveries, and their transitions. Models, constraints, verbs and tests use these tables.

A move is a pair of states. A transition that is not in a table never happens: `sending/tests/test_model.py`
compares the tables with the transitions that the database observes.
"""

from __future__ import annotations

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core import transitions


class IssueState(TextChoices):
    """The states of an issue."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    PREPARING = "preparing", _("Preparing")
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    SENT = "sent", _("Sent")
    SENT_WITH_EXCEPTIONS = "sent_with_exceptions", _("Sent with exceptions")
    CANCELLED = "cancelled", _("Cancelled")


class DeliveryState(TextChoices):
    """The states of a delivery."""

    PENDING = "pending", _("Pending")
    CLAIMED = "claimed", _("Claimed")
    ATTEMPTING = "attempting", _("Attempting")
    ACCEPTED = "accepted", _("Accepted")
    DEFERRED = "deferred", _("Deferred")
    REJECTED = "rejected", _("Rejected")
    UNCERTAIN = "uncertain", _("Uncertain")
    SUPPRESSED = "suppressed", _("Suppressed")
    CANCELLED = "cancelled", _("Cancelled")
    RENDER_FAILED = "render_failed", _("Rendering failed")
    EXPIRED = "expired", _("Expired")


_I, _D = IssueState, DeliveryState
ISSUE_MOVES: Final = transitions.table(
    {
        _I.DRAFT: [_I.SCHEDULED, _I.CANCELLED],
        # Back to a draft: `approval.reopen` takes the approval back while nothing has left.
        _I.SCHEDULED: [_I.PREPARING, _I.DRAFT, _I.CANCELLED],
        # Back to a draft: a story was withdrawn after a person approved (`preparing`).
        _I.PREPARING: [_I.SENDING, _I.DRAFT, _I.CANCELLED],
        _I.SENDING: [_I.PAUSED, _I.SENT, _I.SENT_WITH_EXCEPTIONS, _I.CANCELLED],
        _I.PAUSED: [_I.SENDING, _I.CANCELLED],
        # Sending again (`uncertain.resend`); or an event, a person or a late reply settled the last exception.
        _I.SENT_WITH_EXCEPTIONS: [_I.SENDING, _I.SENT],
        # What failed is sent again (`failed.send`); so it may be from `sent_with_exceptions`.
        _I.SENT: [_I.SENDING],
        # A person has the rest sent (`rest.send`).
        _I.CANCELLED: [_I.SENDING],
    }
)
DELIVERY_MOVES: Final = transitions.table(
    {
        # Cancelled by `closing.sweep_cancelled`; expired when the issue's time is over (`closing.give_up`). Suppressed
        # when its reader gets the stories otherwise (`catching_up`, `closing`); deferred in the plan, to its reader's
        # hour.
        _D.PENDING: [_D.CLAIMED, _D.CANCELLED, _D.EXPIRED, _D.SUPPRESSED, _D.DEFERRED],
        # Deferred by the rate limit of the reader's mail domain.
        _D.CLAIMED: [
            _D.ATTEMPTING, _D.PENDING, _D.DEFERRED, _D.SUPPRESSED, _D.CANCELLED, _D.RENDER_FAILED,
        ],
        # Expired instead of deferred if it is too old (`outcomes.settle`).
        _D.ATTEMPTING: [_D.ACCEPTED, _D.DEFERRED, _D.REJECTED, _D.UNCERTAIN, _D.EXPIRED],
        # Suppressed as above, or when its reader's hour was missed (`claims.miss`).
        _D.DEFERRED: [_D.CLAIMED, _D.CANCELLED, _D.EXPIRED, _D.SUPPRESSED],
        _D.UNCERTAIN: [_D.ACCEPTED, _D.REJECTED, _D.PENDING],
        # Reported as delivered, then as bounced.
        _D.ACCEPTED: [_D.REJECTED],
        # The rest of a cancelled issue is sent after all (`closing.reinstate`).
        _D.CANCELLED: [_D.PENDING],
        # A person has those sent again that failed for a reason that may pass (`failed.send`).
        _D.EXPIRED: [_D.PENDING],
        _D.REJECTED: [_D.PENDING],
        _D.RENDER_FAILED: [_D.PENDING],
    }
)  # fmt: skip
# Transitions that only a person may cause, by `restored.hold`, after a restore of the database.
ISSUE_MOVES_AFTER_A_RESTORE: Final = transitions.table(
    {_I.SENDING: [_I.PAUSED], _I.SCHEDULED: [_I.DRAFT], _I.PREPARING: [_I.SCHEDULED]}
)
DELIVERY_MOVES_AFTER_A_RESTORE: Final = transitions.table(
    {state: [_D.UNCERTAIN] for state in (_D.PENDING, _D.CLAIMED, _D.ATTEMPTING, _D.DEFERRED)}
)


# --- Sets of states ---------------------------------------------------

# A person may cancel an issue in these.
STOPPABLE: Final = transitions.before(_I.CANCELLED, ISSUE_MOVES)
# Nothing has left, so the issue need not have a number or an audience.
UNPLANNED: Final = [str(_I.DRAFT), str(_I.SCHEDULED), str(_I.PREPARING), str(_I.CANCELLED)]
# The tick examines these.
ACTIVE: Final = [str(_I.SCHEDULED), str(_I.PREPARING), str(_I.SENDING)]
# Final states: only a person or an event changes them.
FINISHED: Final = (str(_I.SENT), str(_I.SENT_WITH_EXCEPTIONS), str(_I.CANCELLED))
# Shown in the archive, with a number.
SHOWN: Final = [str(_I.SENDING), str(_I.PAUSED), str(_I.SENT), str(_I.SENT_WITH_EXCEPTIONS)]
# Copies that may still leave, or whose outcome is still to come.
OPEN: Final = (str(_D.PENDING), str(_D.CLAIMED), str(_D.ATTEMPTING), str(_D.DEFERRED))
# Copies that a lane has claimed.
HELD: Final = [str(_D.CLAIMED), str(_D.ATTEMPTING)]
# Copies that a reader has, or may have: a correction goes to these.
MAY_HAVE_IT: Final = (str(_D.ACCEPTED), str(_D.UNCERTAIN))
# Copies that make a finished issue `sent_with_exceptions`: a reader may be without one.
EXCEPTIONS: Final = (str(_D.UNCERTAIN), str(_D.RENDER_FAILED), str(_D.EXPIRED))
