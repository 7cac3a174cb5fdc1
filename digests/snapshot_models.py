"""The frozen words of an issue: its own, and its variants for readers of other languages, topics and formats."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from digests.variant_keys import VariantKey
from publication import fields, languages


class Frozen(models.Model):
    """What copies are made of. A database trigger refuses changes.

    `html` and `text` hold slots written %%name%%; `headers` is a list of [name, value] pairs;
    `compiled` is `mailkit.segments.CompiledMessage.dump()`; `sha256` covers all of them.
    """

    subject = fields.CharField(max_length=200)
    preheader = fields.CharField(max_length=200, blank=True)
    html = fields.TextField()
    text = fields.TextField()
    headers = models.JSONField()
    compiled = models.JSONField()
    # Selects the parts that the hash covers (`freezing.FORMATS`).
    format = models.PositiveSmallIntegerField(default=1)
    sha256 = fields.CharField(max_length=64)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.subject


class Snapshot(Frozen):
    """The frozen content of an issue, in its newsletter's language; `audience_rule` names its variants."""

    issue = models.OneToOneField("digests.Issue", on_delete=models.CASCADE, related_name="snapshot")
    audience_rule = models.JSONField()
    frozen_at = models.DateTimeField(default=timezone.now)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its variants."""
        return tuple(self.audience_rule.get("variants", ()))

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which all of it is there, beside its own."""
        return tuple(key for key in self.keys if VariantKey.parse(key).is_whole)

    def variant(self, key: str) -> Frozen:
        """The variant of this key, or the snapshot itself where there is none."""
        if key not in self.keys:
            return self
        return next((one for one in self.variants.all() if one.key == key), self)

    def in_language(self, language: str) -> Frozen:
        """All of it in this language, or the snapshot itself where there is no such variant."""
        return self.variant(language if language in self.languages else "")

    @property
    def local(self) -> Frozen:
        """What the page that is written shows of it: all of it, in the page's language."""
        return self.in_language(languages.of_pages())


class Variant(Frozen):
    """The issue in another language, for a choice of topics, or in another format: one table for all three.

    Copies whose `Delivery.variant` is its key are made of it.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="variants")
    # Empty: the issue's own.
    language = fields.CharField(max_length=12, blank=True)
    # 0: all stories. Which choices of readers have a number is in the snapshot's audience rule.
    topics = models.PositiveSmallIntegerField(default=0)
    # Empty: stories in full, as the snapshot has them.
    reading = fields.CharField(max_length=12, blank=True)
    # 0: it tells of no amendment. Which ones a number means is in the snapshot's audience rule.
    amended = models.PositiveSmallIntegerField(default=0)
    # The stories of the issue that it has; NULL: all.
    shown = ArrayField(models.BigIntegerField(), null=True)
    # The translations that it shows in place of the issue's own stories. None of them may be withdrawn meanwhile.
    stories = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["snapshot", "language", "topics", "reading", "amended"], name="variant_once_per_text"
            ),
        ]

    @property
    def key(self) -> str:
        """As copies name it."""
        return str(VariantKey(self.language, self.topics, self.reading, self.amended))

    @property
    def issue_id(self) -> int:
        """The issue, as its hash covers it."""
        return self.snapshot.issue_id
