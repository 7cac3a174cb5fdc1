"""What an issue and a copy may be, and what each may become: models, constraints, verbs and tests read it here.

A move is a state and the one after it. What is not in a table never happens: the database's own
observation in `sending/tests/test_model.py` is compared with it.
"""

from __future__ import annotations

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core import transitions


class IssueState(TextChoices):
    """Of an issue."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    PREPARING = "preparing", _("Preparing")
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    SENT = "sent", _("Sent")
    SENT_WITH_EXCEPTIONS = "sent_with_exceptions", _("Sent with exceptions")
    CANCELLED = "cancelled", _("Cancelled")


class DeliveryState(TextChoices):
    """Of a copy."""

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
        # A person sends again (`uncertain.resend`); an event, a person or a late answer settled the last exception.
        _I.SENT_WITH_EXCEPTIONS: [_I.SENDING, _I.SENT],
    }
)
DELIVERY_MOVES: Final = transitions.table(
    {
        # Cancelled by `closing.sweep_cancelled`; expired when the issue's time is over (`closing.give_up`).
        _D.PENDING: [_D.CLAIMED, _D.CANCELLED, _D.EXPIRED],
        # Deferred when it is not the turn of the reader's mail domain.
        _D.CLAIMED: [
            _D.ATTEMPTING, _D.PENDING, _D.DEFERRED, _D.SUPPRESSED, _D.CANCELLED, _D.RENDER_FAILED,
        ],
        # Expired when it is put off, and too old already (`outcomes.settle`).
        _D.ATTEMPTING: [_D.ACCEPTED, _D.DEFERRED, _D.REJECTED, _D.UNCERTAIN, _D.EXPIRED],
        _D.DEFERRED: [_D.CLAIMED, _D.CANCELLED, _D.EXPIRED],
        _D.UNCERTAIN: [_D.ACCEPTED, _D.REJECTED, _D.PENDING],
        # Reported as delivered first, and as bounced after that.
        _D.ACCEPTED: [_D.REJECTED],
    }
)  # fmt: skip
# What only a person may do, by `restored.hold`, once the database itself went back in time.
ISSUE_MOVES_AFTER_A_RESTORE: Final = transitions.table(
    {_I.SENDING: [_I.PAUSED], _I.SCHEDULED: [_I.DRAFT], _I.PREPARING: [_I.SCHEDULED]}
)
DELIVERY_MOVES_AFTER_A_RESTORE: Final = transitions.table(
    {state: [_D.UNCERTAIN] for state in (_D.PENDING, _D.CLAIMED, _D.ATTEMPTING, _D.DEFERRED)}
)


# --- Sets of states that several places ask for ---------------------------------------------------

# From which a person may cancel an issue.
STOPPABLE: Final = transitions.before(_I.CANCELLED, ISSUE_MOVES)
# In which nothing has left, so an issue has no number and no audience yet.
UNPLANNED: Final = [str(_I.DRAFT), str(_I.SCHEDULED), str(_I.PREPARING), str(_I.CANCELLED)]
# What the clock looks at.
ACTIVE: Final = [str(_I.SCHEDULED), str(_I.PREPARING), str(_I.SENDING)]
# After which nothing changes by itself.
FINISHED: Final = (str(_I.SENT), str(_I.SENT_WITH_EXCEPTIONS), str(_I.CANCELLED))
# What the archive shows, once it has a number.
SHOWN: Final = [str(_I.SENDING), str(_I.PAUSED), str(_I.SENT), str(_I.SENT_WITH_EXCEPTIONS)]
# Copies that may still leave, or of which it is not yet known.
OPEN: Final = (str(_D.PENDING), str(_D.CLAIMED), str(_D.ATTEMPTING), str(_D.DEFERRED))
# Copies in a lane's hands.
HELD: Final = [str(_D.CLAIMED), str(_D.ATTEMPTING)]
# Copies that make a finished issue `sent_with_exceptions`: a reader may be without one.
EXCEPTIONS: Final = (str(_D.UNCERTAIN), str(_D.RENDER_FAILED), str(_D.EXPIRED))
