"""A publisher moves the readers of one cadence to a lower one: the move, and each reader who was moved by it."""

from __future__ import annotations

import functools
import operator
from typing import Any, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from publication import fields
from subscribers import cadences
from subscribers.cadences import Cadence
from subscribers.newsletters import Newsletter

# What the button of the letter and of its page says.
KEEP_EVERY_STORY: Final = _("Keep sending me every story")
KEEP_AS_BEFORE: Final = _("Keep sending it as often as before")


def _is_lower() -> Q:
    """Each cadence with those that come less often; nothing else is ever a reduction."""
    pairs = [
        Q(before=one.value, after__in=[other.value for other in lower_than(one)]) for one in Cadence if lower_than(one)
    ]
    return functools.reduce(operator.or_, pairs)


def lower_than(cadence: str) -> list[Cadence]:
    """The cadences that come less often than this one, the soonest first."""
    return [other for other, number in cadences.ORDER.items() if number > cadences.ORDER[Cadence(cadence)]]


class Reduction(models.Model):
    """One move. Written by `reductions` only; the readers it has still to look at are those after `position`."""

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="+")
    before = fields.CharField(max_length=20, choices=Cadence.choices)
    after = fields.CharField(max_length=20, choices=Cadence.choices)
    # How many readers the page said that it would move.
    readers = models.PositiveIntegerField()
    position = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=_is_lower(), name="reduction_is_to_a_lower_cadence"),
            # Also the index of subscribers.reductions.sweep.
            models.UniqueConstraint(
                fields=["newsletter"], condition=Q(finished_at__isnull=True), name="reduction_one_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.newsletter}, {self.before} to {self.after}"

    @property
    def keep_words(self) -> str | Promise:
        """What a reader presses to undo it."""
        return KEEP_EVERY_STORY if self.before == Cadence.INSTANT else KEEP_AS_BEFORE


class ReducedSubscription(models.Model):
    """One reader who was moved, and the letter that said so."""

    reduction = models.ForeignKey(Reduction, on_delete=models.CASCADE, related_name="moved")
    subscription = models.ForeignKey("subscribers.Subscription", on_delete=models.CASCADE, related_name="reductions")
    letter: models.OneToOneField[Any, Any] = models.OneToOneField(
        "subscribers.Letter", null=True, on_delete=models.SET_NULL, related_name="reduced"
    )
    # The weekdays of the daily digest that the reader had chosen before.
    days = fields.CharField(max_length=7, blank=True, default="")
    moved_at = models.DateTimeField()
    # When the reader asked for the former cadence back, and got it.
    kept_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reduction", "subscription"], name="reduced_once_per_reader"),
        ]

    def __str__(self) -> str:
        return f"Subscription {self.subscription_id}, reduction {self.reduction_id}"
