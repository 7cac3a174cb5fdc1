"""What a subscription and a letter may be, and what each may become: models, constraints and verbs read it here."""

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core import transitions


class SubscriptionState(TextChoices):
    """Of a subscription."""

    PENDING = "pending", _("Pending")
    CONFIRMED = "confirmed", _("Confirmed")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")


class LetterState(TextChoices):
    """Of a letter."""

    HELD = "held", _("Waits to be released")
    PENDING = "pending", _("Pending")
    ATTEMPTING = "attempting", _("Attempting")
    SENT = "sent", _("Sent")
    REJECTED = "rejected", _("Rejected")
    EXPIRED = "expired", _("Expired")
    UNCERTAIN = "uncertain", _("Uncertain")


_S, _L = SubscriptionState, LetterState
SUBSCRIPTION_MOVES: Final = transitions.table(
    {
        # A second request renews the first. Unsubscribed: also when nobody confirms (`erasure.forget_unconfirmed`).
        _S.PENDING: [_S.PENDING, _S.CONFIRMED, _S.UNSUBSCRIBED],
        _S.CONFIRMED: [_S.UNSUBSCRIBED],
        _S.UNSUBSCRIBED: [_S.PENDING],
    }
)
LETTER_MOVES: Final = transitions.table(
    {
        _L.HELD: [_L.PENDING],
        _L.PENDING: [_L.ATTEMPTING],
        # Attempted again when the lease of the first sender is over.
        _L.ATTEMPTING: [_L.ATTEMPTING, _L.PENDING, _L.SENT, _L.REJECTED, _L.EXPIRED, _L.UNCERTAIN],
        # It came back (`letters.send.came_back`).
        _L.SENT: [_L.REJECTED],
        _L.UNCERTAIN: [_L.REJECTED],
    }
)
# Subscriptions that a request makes pending, and those that an unsubscribe ends.
REQUESTABLE: Final = transitions.before(_S.PENDING, SUBSCRIPTION_MOVES)
ENDABLE: Final = transitions.before(_S.UNSUBSCRIBED, SUBSCRIPTION_MOVES)
# Letters that did not arrive, or may not have.
FAILED: Final = (LetterState.REJECTED, LetterState.EXPIRED, LetterState.UNCERTAIN)
# Letters that are to be sent.
WAITING: Final = transitions.before(_L.ATTEMPTING, LETTER_MOVES)
