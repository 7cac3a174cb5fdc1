"""What readers answered to issues."""

from __future__ import annotations

from typing import Any, TypeAlias

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from publication import fields
from subscribers.models import Subscriber


class ReplyState(models.TextChoices):
    """What the desk made of it."""

    NEW = "new", _("New")
    DONE = "done", _("Done")
    SPAM = "spam", _("Spam")


class Reply(models.Model):
    """One mail of a reader. It goes with the reader, and with it the letter that was published of it.

    Written by `replies` only. All texts are a stranger's.
    """

    State: TypeAlias = ReplyState

    # The sender and the Message-ID, hashed: the same mail is stored once.
    fingerprint = fields.CharField(max_length=64, unique=True)
    issue = models.ForeignKey("digests.Issue", on_delete=models.CASCADE, related_name="replies")
    # The copy that it answers. No foreign key: the copies' partitions are dropped as a whole (decisions/0065).
    delivery_uuid = models.UUIDField()
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="replies")
    sender_name = fields.CharField(max_length=120, blank=True)
    sender = fields.CharField(max_length=254, blank=True)
    # Whether the mail came from the reader's own address, as its From says.
    is_from_reader = models.BooleanField()
    subject = fields.CharField(max_length=200, blank=True)
    text = fields.TextField(blank=True)
    quoted = fields.TextField(blank=True)
    is_cut = models.BooleanField(default=False)
    # [{name, size}]: they are named and not kept.
    attachments: models.JSONField[Any, Any] = models.JSONField(default=list)
    received_at = models.DateTimeField(default=timezone.now)
    story = models.ForeignKey(
        "articles.Article", null=True, blank=True, on_delete=models.SET_NULL, related_name="replies"
    )
    state = fields.CharField(max_length=4, choices=ReplyState.choices, default=ReplyState.NEW)
    handled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    handled_at = models.DateTimeField(null=True)
    letter = models.OneToOneField("articles.ReaderLetter", null=True, on_delete=models.SET_NULL, related_name="reply")

    class Meta:
        verbose_name_plural = _("replies")
        ordering = ["-received_at", "-pk"]
        constraints = [models.CheckConstraint(condition=Q(state__in=ReplyState.values), name="reply_state_is_known")]
        indexes = [
            # newsroom.desk.reply_page and Today: those in one state, the newest first.
            models.Index("state", models.F("received_at").desc(), name="reply_of_state"),
            # replies.store: how many there are to one copy.
            models.Index("delivery_uuid", name="reply_of_copy"),
        ]

    def __str__(self) -> str:
        return self.subject or f"Reply {self.pk}"

    @property
    def audit_name(self) -> str:
        """A subject is a reader's words."""
        return f"reply {self.pk}"
