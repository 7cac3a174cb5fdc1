"""The model of counted links: how often each link of an issue was followed, without a person."""

from __future__ import annotations

from django.db import models

from publication import fields


class LinkCount(models.Model):
    """How often one link of an issue was followed within one hour (UTC). Written by `clicks.write` only.

    `people` and `machines` are distinguished by the rule of `click_rules`; neither says who it was.
    """

    issue = models.ForeignKey("digests.Issue", on_delete=models.CASCADE, related_name="link_counts", db_index=False)
    hour = models.DateTimeField()
    url = fields.CharField(max_length=1_500)
    people = models.PositiveIntegerField(default=0)
    machines = models.PositiveIntegerField(default=0)

    class Meta:
        # Its index is also that of the foreign key, and serves `aftermath`.
        constraints = [models.UniqueConstraint(fields=["issue", "hour", "url"], name="link_count_once")]

    def __str__(self) -> str:
        return f"{self.people} + {self.machines}: {self.url}"
