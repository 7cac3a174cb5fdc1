"""The reasons why a letter was not sent: our own, beside those of servers and providers."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core.reasons import Catalogue
from postal import answers


class LetterReason(TextChoices):
    """Reasons of our own."""

    TOO_OLD = "too_old", _("It could not be delivered within 72 hours.")
    SUPPRESSED = "suppressed", _("The address is suppressed.")
    OVERTAKEN = "overtaken", _("A later act of the reader overtook it.")
    NOT_WANTED = "not_wanted", _("The reader had left or paused, or may not be mailed.")
    TURNED_OFF = "turned_off", _("The letter had been turned off.")
    SENDER_STOPPED = "sender_stopped", _("The sender stopped before the outcome was known.")
    REPORTED_BOUNCED = "reported_bounced", _("It was reported as bounced.")
    MAY_HAVE_LEFT = "may_have_left", _("It may have left before the database was restored.")


CATALOGUE = Catalogue(LetterReason, answers.Cause, sentences=answers.SENTENCES)


def choices() -> list[tuple[str, str]]:
    """Every code that `Letter.reason` may hold, with its label."""
    return CATALOGUE.choices()
