"""How far imports came that are not done yet."""

from __future__ import annotations

from django.db import models

from publication import fields
from subscribers.newsletters import Newsletter


class ImportCheckpoint(models.Model):
    """An import under way, or interrupted. Written by `import_checkpoint` only."""

    # A keyed hash of the file and of what is done with it.
    fingerprint = fields.CharField(max_length=64, unique=True)
    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="+")
    # Whether those who said no are done, and how many records of the file, in the part that is not.
    noes_are_done = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)
    imported = models.PositiveIntegerField(default=0)
    already_there = models.PositiveIntegerField(default=0)
    unconfirmed = models.PositiveIntegerField(default=0)
    said_no = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"import {self.pk}"


class ImportRefusals(models.Model):
    """The refused records of one portion: lines and reasons, compressed JSON without addresses."""

    checkpoint = models.ForeignKey(ImportCheckpoint, on_delete=models.CASCADE, related_name="+")
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"refused records of import {self.checkpoint_id}"
