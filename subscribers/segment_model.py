"""A saved filter over the readers of a newsletter."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from publication import fields
from subscribers.newsletters import Newsletter


class Segment(models.Model):
    """Readers of one newsletter who meet all conditions. It holds no reader: who is in it is asked each time.

    Written by `segments` only, which also reads `conditions`: [{field, op, value}].
    """

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="segments")
    name = fields.CharField(max_length=80)
    conditions: models.JSONField[Any, Any] = models.JSONField(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["newsletter", "name"]
        constraints = [
            models.UniqueConstraint("newsletter", Lower("name"), name="segment_name_once_per_newsletter"),
        ]

    def __str__(self) -> str:
        return self.name
