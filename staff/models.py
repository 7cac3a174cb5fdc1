"""The record of what the people of the desk did, what each is limited to, and how people join."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from publication import fields
from publication.models import validate_time_zone
from staff import audit_actions, names, role_names


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


class Person(User):
    """An account, as the team's pages show it."""

    class Meta:
        proxy = True
        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = [("manage_team", "Can invite people and change their roles")]

    def __str__(self) -> str:
        return names.of(self)

    @property
    def state(self) -> str:
        """Whether the account is open; the word is the code that the actions know."""
        return OPEN if self.is_active else CLOSED


class Preference(models.Model):
    """What a person chose for their own desk; without a row all is as the publication has it."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="preference"
    )
    time_zone = fields.CharField(max_length=63, blank=True, validators=[validate_time_zone])

    def __str__(self) -> str:
        return f"{self.user}: {self.time_zone}"


OPEN, CLOSED = "open", "closed"
WAITING, OVER = "waiting", "over"


class Invitation(models.Model):
    """One address may join the team in one role; the link of its letter is good once.

    Without `invited_by` a command asked the first administrator of this site in.
    """

    address = fields.EmailField(_("address"))
    role = fields.CharField(_("role"), max_length=20, choices=role_names.choices)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("invited by")
    )
    created_at = models.DateTimeField(_("invited"))
    expires_at = models.DateTimeField(_("valid until"))
    mailed_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(_("joined"), null=True)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(withdrawn_at=None), name="invitation_ends_once"
            ),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def state(self) -> str:
        """Whether it can still be accepted; the word is the code that the actions know."""
        return OVER if self.accepted_at or self.withdrawn_at or self.expires_at <= timezone.now() else WAITING


class PasswordRequest(models.Model):
    """Somebody asked for a new password of an address; a worker looks whether there is an account, and mails it.

    The page that asks does the same whether there is one or not. The row is deleted once it was looked at.
    """

    address = fields.EmailField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("request for a new password")
        verbose_name_plural = _("requests for a new password")

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M} UTC"
