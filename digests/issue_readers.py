"""Whose an issue is: the readers of its newsletter and cadence."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from digests import states
from subscribers.models import Subscription, SubscriptionQuerySet

if TYPE_CHECKING:
    from digests.models import Issue


class HasReaders:
    """What an issue knows of its readers; a part of `Issue`."""

    if TYPE_CHECKING:
        cadence: str
        newsletter_id: int
        corrects: Issue | None

    def readers(self, *, now: datetime) -> SubscriptionQuerySet:
        """Its newsletter's subscriptions at its cadence that may be mailed, one per subscriber; a letter's at any."""
        return self.subscriptions().mailable(now=now)

    def eligible(self, *, now: datetime) -> SubscriptionQuerySet:
        """Of the readers for whom a copy was planned, those who may be mailed now."""
        return self._of_its_cadence().mailable(now=now)

    def subscriptions(self) -> SubscriptionQuerySet:
        """All subscriptions to its newsletter at its cadence, in any state; a correction's: of those who got it."""
        if self.corrects is None:
            return self._of_its_cadence()
        got = self.corrects.deliveries.filter(state__in=states.MAY_HAVE_IT)
        return self._of_its_cadence().filter(subscriber__in=got.values("subscriber_id"))

    def _of_its_cadence(self) -> SubscriptionQuerySet:
        subscriptions = Subscription.objects.filter(newsletter_id=self.newsletter_id)
        return subscriptions.filter(cadence=self.cadence) if self.cadence else subscriptions
