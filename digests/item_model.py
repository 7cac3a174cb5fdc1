"""The stories of an issue, in their order and with the words that they have there alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.db import models
from django.db.models import OuterRef, Prefetch, Subquery
from django.utils.translation import gettext_lazy as _

from articles import states as article_states
from articles.models import Article
from publication import fields
from publication.translated import Translated


class IssueItemQuerySet(models.QuerySet["IssueItem"]):
    """Queries over the items of issues."""

    def public(self) -> IssueItemQuerySet:
        """Items that readers see: included, and still public."""
        return self._included_where(article_states.PUBLIC)

    def gone(self) -> IssueItemQuerySet:
        """Items that are included, but no longer public."""
        return self._included_where([state for state in Article.State.values if state not in article_states.PUBLIC])

    def with_stories(self, *related: str, texts: bool = False) -> IssueItemQuerySet:
        """The items with their stories and what is `related` to those; with `texts`, the long columns too.

        The stories are read apart, by their keys: after a bulk load the planner could join the two tables by comparing
        each item with every story.
        """
        stories = Article.objects.select_related(*related) if related else Article.objects.all()
        return self.prefetch_related(Prefetch("article", stories if texts else stories.without_text()))

    def _included_where(self, among: Sequence[str]) -> IssueItemQuerySet:
        return self.filter(included=True).alias(story_state=_story_state()).filter(story_state__in=among)


def _story_state() -> Subquery:
    """The state of the item's story: one lookup by key per row, compared outside of the lookup.

    After a bulk load the planner assumes that hardly any story is public. For a large issue a join, or a lookup that
    also asked for the state and so could use an index of public stories, would then compare each item with every
    story: minutes instead of milliseconds.
    """
    return Subquery(Article.objects.filter(pk=OuterRef("article_id")).order_by().values("state")[:1])


class IssueItem(Translated):
    """An article in an issue. One that an editor left out keeps its row, so no later digest offers it."""

    TRANSLATED = ("headline", "summary")
    # The further language in which it is shown, if any: `variants.translated` took its words from `translations`.
    shown_in = ""

    issue = models.ForeignKey("digests.Issue", on_delete=models.CASCADE, related_name="items")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="issue_items")
    position = models.PositiveIntegerField(default=0)
    included = models.BooleanField(default=True, help_text=_("Untick to leave this story out."))
    headline = fields.CharField(
        max_length=200, blank=True, help_text=_("Only for this issue. Empty: the story's headline.")
    )
    summary = fields.TextField(
        max_length=500, blank=True, help_text=_("Only for this issue. Empty: the story's standfirst.")
    )

    objects: ClassVar[models.Manager[IssueItem]] = IssueItemQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["issue", "article"], name="issue_item_once_per_article"),
        ]

    def __str__(self) -> str:
        return self.headline or self.article.headline

    def language_of(self, name: str) -> str:
        """The language of its headline or summary, as it is shown."""
        return self.shown_in if self.translations.get(self.shown_in, {}).get(name) else self.article.language

    @property
    def headline_language(self) -> str:
        """For templates."""
        return self.language_of("headline")
