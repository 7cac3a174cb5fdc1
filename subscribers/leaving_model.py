"""Why readers left, as they gave it: numbers by month, with nobody in them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from publication import fields
from subscribers.newsletters import Newsletter


class LeavingReason(models.TextChoices):
    """What a reader may choose on the page after the way out."""

    TOO_OFTEN = "too_often", _("It came too often")
    NOT_MINE = "not_mine", _("It was about other things than I expected")
    NOT_GOOD = "not_good", _("I did not find it good enough")
    ELSEWHERE = "elsewhere", _("I read you in another way")
    NEVER_ASKED = "never_asked", _("I never asked for it")
    OTHER = "other", _("Something else")


class LeavingCount(models.Model):
    """How many readers gave this reason in one month (its first day, in the newsletter's time zone)."""

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="leaving_counts")
    month = models.DateField()
    reason = fields.CharField(max_length=12, choices=LeavingReason.choices)
    number = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-month", "reason"]
        constraints = [
            models.UniqueConstraint(fields=["newsletter", "month", "reason"], name="leaving_count_once"),
            models.CheckConstraint(condition=Q(reason__in=LeavingReason.values), name="leaving_reason_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.reason}: {self.number}"
