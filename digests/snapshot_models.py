"""The frozen words of an issue: its own, and the same in further languages of its readers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

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
    def languages(self) -> tuple[str, ...]:
        """The languages of its variants."""
        return tuple(self.audience_rule.get("variants", ()))

    def in_language(self, language: str) -> Frozen:
        """What readers of this language have: the variant, or the snapshot itself where there is none."""
        if language not in self.languages:
            return self
        return next((one for one in self.variants.all() if one.language == language), self)

    @property
    def local(self) -> Frozen:
        """What readers of the page that is written have."""
        return self.in_language(languages.of_pages())


class Variant(Frozen):
    """The same issue in a further language of its readers. Copies whose `Delivery.variant` names it are made of it."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="variants")
    language = fields.CharField(max_length=12)
    # The translations that it shows in place of the issue's own stories. None of them may be withdrawn meanwhile.
    stories = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["snapshot", "language"], name="variant_once_per_language")]

    @property
    def issue_id(self) -> int:
        """The issue, as its hash covers it."""
        return self.snapshot.issue_id
