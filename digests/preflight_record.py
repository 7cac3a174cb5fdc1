"""What preflight knows of an issue, stored beside it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from publication import fields


class Preflight(models.Model):
    """The findings of one issue's preflight. Written by `digests.preflight` only.

    `findings` is a list of `findings.Finding.dump()`, true for the content that `fingerprint` names.
    `acknowledged` says which warnings a person accepted: their key -> name of the person, user and instant.
    """

    issue = models.OneToOneField("digests.Issue", on_delete=models.CASCADE, related_name="preflight")
    findings = models.JSONField(default=list)
    fingerprint = fields.CharField(max_length=64, blank=True)
    acknowledged = models.JSONField(default=dict)
    checked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Preflight of issue {self.issue_id}"
