"""The record of what the people of the desk did."""

from __future__ import annotations

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
