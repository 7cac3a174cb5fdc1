"""The states of subscriptions and letters, for models and constraints."""

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class SubscriptionState(TextChoices):
    """Of a subscription; every state may become every other, by an act of the reader that is on record."""

    PENDING = "pending", _("Pending")
    CONFIRMED = "confirmed", _("Confirmed")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")


class LetterState(TextChoices):
    """Of a letter: held -> pending -> attempting -> sent, rejected, expired, or pending again."""

    HELD = "held", _("Waits to be released")
    PENDING = "pending", _("Pending")
    ATTEMPTING = "attempting", _("Attempting")
    SENT = "sent", _("Sent")
    REJECTED = "rejected", _("Rejected")
    EXPIRED = "expired", _("Expired")


# Letters that are to be sent.
WAITING: Final = [str(LetterState.PENDING), str(LetterState.ATTEMPTING)]
