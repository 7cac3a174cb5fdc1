"""In which language a story is, and which story it translates."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from publication import fields, languages


class InLanguage(models.Model):
    """A text in one language. A story and its translations are a group; the one that translates none is the original.

    Each text has its own address, state, versions and corrections.
    """

    language = fields.CharField(
        max_length=12,
        blank=True,
        help_text=_("Readers find the story on the pages of this language."),
    )
    # Empty for an original. A translation of a translation belongs to the same original.
    translation_of = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="translations"
    )
    # The version of the original that it translates, and since when the original says something else.
    translated_version = models.PositiveIntegerField(null=True, editable=False)
    stale_since = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new text is in the publication's first language, unless somebody says otherwise."""
        if self._state.adding and not self.language:
            self.language = languages.first()
        super().save(*args, **kwargs)


def on_pages_of(language: str) -> Q:
    """What is in a language; for the first one, also what is in a language that has no pages."""
    further = languages.further()
    if language in further:
        return Q(language=language)
    return ~Q(language__in=further) if further else Q()


CONSTRAINTS = [
    models.UniqueConstraint(fields=["translation_of", "language"], name="article_translated_once"),
    models.CheckConstraint(condition=~Q(translation_of=F("id")), name="article_translates_another"),
    models.CheckConstraint(
        condition=Q(stale_since__isnull=True) | Q(translation_of__isnull=False), name="article_stale_is_a_translation"
    ),
]
# Front page, feeds, sitemap of a further language: newest public stories.
NEWEST = models.Index(
    "language", F("published_at").desc(), F("id").desc(), condition=Q(state="published"), name="article_newest_in"
)
