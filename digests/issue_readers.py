"""Whose an issue is: the readers of its newsletter and cadence."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q

from digests import states
from digests.snapshot_models import Snapshot
from subscribers import segments
from subscribers.models import Newsletter, Segment, Subscription, SubscriptionQuerySet

if TYPE_CHECKING:
    from digests.models import Issue


class HasReaders:
    """What an issue knows of its readers; a part of `Issue`."""

    if TYPE_CHECKING:
        cadence: str
        newsletter_id: int
        newsletter: Newsletter
        pk: int
        segment: Segment | None
        corrects: Issue | None

    def readers(self, *, now: datetime) -> SubscriptionQuerySet:
        """Its newsletter's subscriptions at its cadence that may be mailed, one per subscriber; a letter's at any."""
        return self.subscriptions().mailable(now=now)

    def eligible(self, *, now: datetime) -> SubscriptionQuerySet:
        """Of the readers for whom a copy was planned, those who may be mailed now."""
        return self._of_its_cadence().mailable(now=now)

    def subscriptions(self) -> SubscriptionQuerySet:
        """All subscriptions to its newsletter at its cadence, in any state.

        A correction's: of those who got it. A letter's to a segment: of those in it, once it is frozen by the
        conditions that the segment had then.
        """
        if self.segment is not None:
            frozen = Snapshot.objects.filter(issue=self.pk).values_list("audience_rule", flat=True).first()
            stored = frozen["segment"]["conditions"] if frozen else self.segment.conditions
            return segments.among(newsletter=self.newsletter, lines=segments.conditions(stored))
        if self.corrects is None:
            return self._of_its_cadence()
        got = Q()
        for issue in [self.corrects, *self.corrects.catch_ups.all()]:
            copies = issue.deliveries.filter(state__in=states.MAY_HAVE_IT)
            got |= Q(subscriber__in=copies.values("subscriber_id"))
        return self._of_its_cadence().filter(got)

    def in_step(self, *, now: datetime) -> SubscriptionQuerySet:
        """Of the readers, those who have had the issue before it: its stories are what they should have and have not.

        The others are in `digests.catching_up`.
        """
        readers = self.readers(now=now)
        return readers.filter(days="", out_of_step_since__isnull=True) if self.cadence else readers

    def by_themselves(self, *, now: datetime) -> SubscriptionQuerySet:
        """Of the readers, those for whom it is asked what they have had."""
        others = Q(out_of_step_since__isnull=False) | ~Q(days="")
        return self.readers(now=now).filter(others) if self.cadence else Subscription.objects.none()

    def _of_its_cadence(self) -> SubscriptionQuerySet:
        subscriptions = Subscription.objects.filter(newsletter_id=self.newsletter_id)
        return subscriptions.filter(cadence=self.cadence) if self.cadence else subscriptions
