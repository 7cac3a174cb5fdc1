"""Which mailboxes were reminded of a sign-up, by keyed hash: the row of a reader who never confirms is deleted."""

from __future__ import annotations

from django.db import models

from publication import fields


class Reminder(models.Model):
    """The last reminder to one mailbox; spellings that usually reach the same one share it. Deleted after 30 days."""

    mailbox_hash = fields.CharField(max_length=64, primary_key=True)
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Reminder, {self.asked_at:%Y-%m-%d}"
