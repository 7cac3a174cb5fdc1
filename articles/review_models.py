"""What is said about a story before readers see it: comments, and warnings that somebody acknowledged."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from publication import fields


class Reviewed(models.Model):
    """What the desk knows of a story besides its words."""

    # Who is to read it; while it is in review and has none, it waits for every editor.
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="assigned_articles"
    )
    # Why the last reader sent it back to its author; empty when nobody did.
    returned_reason = fields.CharField(max_length=500, blank=True, editable=False)
    planned_for = models.DateField(
        null=True,
        blank=True,
        help_text=_("The day for which it is planned, shown in the calendar. Nothing happens then."),
    )

    class Meta:
        abstract = True


class Comment(models.Model):
    """A remark on a story, or on a passage of it, until somebody resolves it."""

    article = models.ForeignKey("articles.Article", on_delete=models.CASCADE, related_name="comments")
    # The words that it is about; they may have changed since.
    quote = fields.TextField(max_length=500, blank=True)
    text = fields.TextField(max_length=2000)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    resolved_at = models.DateTimeField(null=True)
    # Those who are named in it: it waits for them until it is resolved.
    mentioned = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ["created_at", "pk"]
        indexes = [
            # review.waiting_for: stories with open comments.
            models.Index("article", condition=Q(resolved_at__isnull=True), name="comment_open"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Acknowledgement(models.Model):
    """Somebody saw this warning of the checklist and wants to publish all the same."""

    article = models.ForeignKey("articles.Article", on_delete=models.CASCADE, related_name="acknowledgements")
    # The rule of the checklist, and what it complained of: another finding of the same rule is not covered.
    code = fields.CharField(max_length=40)
    subject = fields.CharField(max_length=500, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    acknowledged_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("acknowledged warning")
        verbose_name_plural = _("acknowledged warnings")
        constraints = [
            models.UniqueConstraint(fields=["article", "code", "subject"], name="acknowledgement_once"),
        ]

    def __str__(self) -> str:
        return self.code
