"""What readers chose to get of a newsletter: sets of topics, and the record of what they changed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from publication import fields
from publication.formats import Format
from publication.translated import Translated


class TopicChoice(models.Model):
    """A set of topics, one row for each set: readers who chose the same share it. Nothing in it names a reader.

    A topic that is deleted leaves the set. A set that has none left is as none chosen: everything.
    """

    # `topics.key`: of the topics with which it was made.
    key = fields.CharField(max_length=64, unique=True)
    sections = models.ManyToManyField("articles.Section", related_name="+")
    tags = models.ManyToManyField("articles.Tag", related_name="+")

    def __str__(self) -> str:
        return ", ".join(topic.local.name for topic in self.topics)

    @property
    def topics(self) -> list[Translated]:
        """Its sections, then its tags."""
        return [*self.sections.all(), *self.tags.all()]


class PreferenceChange(models.Model):
    """A reader chose other topics or another format for a subscription. It is no consent, and goes with the reader."""

    subscription = models.ForeignKey(
        "subscribers.Subscription", on_delete=models.CASCADE, related_name="preference_changes"
    )
    changed_at = models.DateTimeField(default=timezone.now)
    # What holds from then on, as on the subscription.
    topics = models.ForeignKey(TopicChoice, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    format = fields.CharField(max_length=12, blank=True, choices=Format.choices)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"Preference change {self.changed_at:%Y-%m-%d %H:%M} UTC"
