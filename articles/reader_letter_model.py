"""Letters to the editor: what readers wrote about a story, as an editor published it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from publication import fields


class ReaderLetter(models.Model):
    """A reader's words below a story, under a name and never with an address. It is deleted when it is withdrawn.

    Written by `reader_letters` only.
    """

    article = models.ForeignKey("articles.Article", on_delete=models.CASCADE, related_name="reader_letters")
    name = fields.CharField(max_length=120)
    text = fields.TextField(max_length=5_000)
    published_at = models.DateTimeField(default=timezone.now)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["published_at", "pk"]

    def __str__(self) -> str:
        return f"Letter {self.pk}"
