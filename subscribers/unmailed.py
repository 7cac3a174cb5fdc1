"""Confirmed readers who are not mailed, counted by reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from publication import formatting
from subscribers.models import SubscriptionQuerySet


@dataclass(frozen=True, slots=True)
class Unmailed:
    """The number of confirmed readers who are left out, by reason. Each is counted once."""

    unproved: int
    suppressed: int
    paused: int
    behind: int

    def __str__(self) -> str:
        """One sentence for an editor; empty when all are mailed."""
        reasons = [
            (self.suppressed, _("%(count)s because the address bounced, complained or was blocked by hand")),
            (self.paused, _("%(count)s because of a pause that the reader chose")),
            (
                self.behind,
                _("%(count)s because the reader has not agreed to the legal text that the newsletter demands"),
            ),
            (
                self.unproved,
                _("%(count)s because no consent to this newsletter is on record (see manage.py verify_consent)"),
            ),
        ]
        total = self.suppressed + self.paused + self.behind + self.unproved
        if not total:
            return ""
        listed = "; ".join(reason % {"count": formatting.number(count)} for count, reason in reasons if count)
        sentence = ngettext(
            "%(count)s confirmed reader is not mailed: %(reasons)s.",
            "%(count)s confirmed readers are not mailed: %(reasons)s.",
            total,
        )
        return sentence % {"count": formatting.number(total), "reasons": listed}


def among(subscriptions: SubscriptionQuerySet, *, now: datetime) -> Unmailed:
    """Count those of the subscriptions that are confirmed and not `mailable`."""
    confirmed = subscriptions.confirmed().count()
    left_out = confirmed - subscriptions.mailable(now=now).count()
    if not left_out:
        return Unmailed(0, 0, 0, 0)
    unproved = subscriptions.unproved().count()
    paused = subscriptions.reachable().filter(paused_until__gt=now).count()
    behind = subscriptions.behind().awake(now=now).count()
    suppressed = left_out - unproved - paused - behind
    return Unmailed(unproved=unproved, suppressed=suppressed, paused=paused, behind=behind)
