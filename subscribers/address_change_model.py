"""A reader's wish to be written to at another mailbox."""

from __future__ import annotations

import enum
import uuid

from django.db import models
from django.utils import timezone

from publication import fields


class End(enum.StrEnum):
    """Which of the two mailboxes a link was mailed to."""

    FORMER = "former"
    NEW = "new"


class AddressChange(models.Model):
    """The last wish of a reader; it is carried out when both mailboxes have agreed, and deleted after three days.

    The links in the two letters name it by its uuid, so a new wish makes the links of an older one stale.
    """

    subscriber = models.OneToOneField("Subscriber", on_delete=models.CASCADE, related_name="address_change")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    address = fields.CharField(max_length=254)
    address_key = fields.CharField(max_length=254)
    asked_at = models.DateTimeField(default=timezone.now)
    former_agreed_at = models.DateTimeField(null=True, blank=True)
    new_agreed_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        # subscribers.address_change.forget_old.
        indexes = [models.Index(fields=["asked_at"], name="address_change_old")]

    def __str__(self) -> str:
        return f"Change of address, {self.asked_at:%Y-%m-%d}"
