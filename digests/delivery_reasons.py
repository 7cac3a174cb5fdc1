"""Reason codes of deliveries. The sentence is made when it is shown. An accepted copy needs no reason."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import F, Func, TextChoices, TextField, Value
from django.utils.translation import gettext_lazy as _

from core.reasons import Catalogue, Reason
from postal import answers


class DeliveryReason(TextChoices):
    """Our own reasons. `postal.answers.Cause` has those of servers and providers."""

    NOT_BUILT = "not_built", _("The copy could not be built.")
    ERASED = "erased", _("The reader was erased.")
    UNSUBSCRIBED = "unsubscribed", _("The reader had unsubscribed.")
    CADENCE_CHANGED = "cadence_changed", _("The reader had chosen another cadence.")
    READER_PAUSED = "reader_paused", _("The reader had paused the subscription.")
    TEXT_NOT_AGREED = "text_not_agreed", _("The reader had not agreed to the legal text that the newsletter demands.")
    NO_STORY_CHOSEN = "no_story_chosen", _("No story of the issue was on the topics that the reader had chosen.")
    SUPPRESSED = "suppressed", _("The address is suppressed.")
    DOMAINS_TURN = "domains_turn", _("Waits for its turn: the reader's mail provider takes a limited number at a time.")
    READERS_HOUR = "readers_hour", _("Waits for the hour at which the reader wants it.")
    HOUR_MISSED = "hour_missed", _("It could not leave at the reader's hour; its stories come with the next issue.")
    STORY_WITHDRAWN = (
        "story_withdrawn",
        _("A story of the issue was withdrawn before it left; the other stories come with the next issue."),
    )
    SENDER_STOPPED = "sender_stopped", _("The sender stopped before the outcome was known.")
    TOO_OLD = "too_old", _("It was too old to be sent.")
    TIME_OVER = "time_over", _("The issue's time was over.")
    ISSUE_CANCELLED = "issue_cancelled", _("The issue was cancelled.")
    CALLED_ACCEPTED = "called_accepted", _("An editor called it accepted.")
    SENT_AGAIN = "sent_again", _("An editor sent it again.")
    MAY_HAVE_LEFT = "may_have_left", _("It may have left before the database was restored.")
    REPORTED_DELIVERED = "reported_delivered", _("It was reported as delivered.")
    REPORTED_BOUNCED = "reported_bounced", _("It was reported as bounced.")


CATALOGUE: Final = Catalogue(
    DeliveryReason,
    answers.Cause,
    sentences={**answers.SENTENCES, DeliveryReason.REPORTED_BOUNCED: _("It was reported as bounced: %(said)s")},
)


def choices() -> list[tuple[str, str]]:
    """Every code that `Delivery.reason` may hold, with its label."""
    return CATALOGUE.choices()


def columns(code: str, **parameters: Any) -> dict[str, Any]:
    """The two columns of a copy with this reason."""
    return Reason(code, parameters).columns()


def reply() -> Func:
    """A query expression for the server's own words."""
    return Func(F("reason_parameters"), Value("said"), function="jsonb_extract_path_text", output_field=TextField())
