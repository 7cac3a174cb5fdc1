"""The record of what the people of the desk did, and what each of them is limited to."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from publication import fields
from staff import audit_actions


class AuditEvent(models.Model):
    """Append-only record of one act at the desk. Each row's hash covers the row before; triggers refuse changes.

    It names people and objects by number and name, without a foreign key, so that it outlives their rows.
    Readers are named by number only.
    """

    action = fields.CharField(max_length=40, choices=audit_actions.choices)
    # Empty number and name: the clock, or a command.
    actor_id = models.BigIntegerField(null=True)
    actor_name = fields.CharField(max_length=150, blank=True)
    # Such as "digests.issue"; empty for an act without an object.
    object_type = fields.CharField(max_length=80, blank=True)
    object_id = fields.CharField(max_length=40, blank=True)
    object_name = fields.CharField(max_length=200, blank=True)
    # What the sentence needs besides: numbers, a reason, a value before and after.
    detail = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    # Which facts the hash covers, and with which key (`audit.FORMATS`, `hash_chain.key_id`).
    format = models.PositiveSmallIntegerField(default=1)
    key_id = fields.CharField(max_length=16)
    previous_hash = fields.CharField(max_length=64)
    hash = fields.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name = _("entry of the audit log")
        verbose_name_plural = _("audit log")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["previous_hash"], name="audit_chain_does_not_fork"),
        ]
        indexes = [
            # The log of one object, and of one person.
            models.Index(fields=["object_type", "object_id"], name="audit_of_object"),
            models.Index(fields=["actor_id"], name="audit_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.occurred_at:%Y-%m-%d %H:%M} UTC"


class LimitKind(models.TextChoices):
    """What a person can be limited to."""

    SECTION = "section", _("Sections")
    NEWSLETTER = "newsletter", _("Newsletters")


class Limit(models.Model):
    """One section or newsletter that a person is limited to. Without any of a kind the person has all of them."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="limits")
    kind = fields.CharField(max_length=20, choices=LimitKind.choices)
    # Of `articles.Section` or `subscribers.Newsletter`, without a foreign key: see `staff.limits`.
    object_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "object_id"], name="limit_once"),
            models.CheckConstraint(condition=models.Q(kind__in=LimitKind.values), name="limit_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display()} {self.object_id}"
