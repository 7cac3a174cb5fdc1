"""What an editor has put on the front page; `articles.front` fills the rest."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from publication import fields

FRONT_PAGE = 1


class FrontPage(models.Model):
    """One row: the newsletter that is offered among the stories, and how often the page was arranged."""

    # The address of a newsletter: stories know nothing of newsletters.
    newsletter = fields.CharField(max_length=80, blank=True)
    # Counts arrangements, so that of two editors the second hears of the first.
    version = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("front page")
        verbose_name_plural = _("front page")
        constraints = [models.CheckConstraint(condition=Q(pk=FRONT_PAGE), name="front_page_is_one_row")]

    def __str__(self) -> str:
        return str(_("Front page"))


class FrontStory(models.Model):
    """A story in a place that an editor gave it: the first leads, the others are the second tier."""

    article = models.OneToOneField("articles.Article", on_delete=models.CASCADE, related_name="front_place")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position}"


class FrontSection(models.Model):
    """A section with a row of its own, in the order of the rows."""

    section = models.OneToOneField("articles.Section", on_delete=models.CASCADE, related_name="front_row")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position}"
