"""A list of readers that somebody uploaded, and what became of it."""

from __future__ import annotations

import uuid
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import transitions
from publication import fields
from subscribers.import_pace import Pace
from subscribers.newsletters import Newsletter


class ImportState(models.TextChoices):
    """Of an upload: it is looked at first, and imported when somebody says so."""

    CHECKING = "checking", _("Being looked at")
    CHECKED = "checked", _("Waits for your yes")
    IMPORTING = "importing", _("Being imported")
    DONE = "done", _("Imported")
    REFUSED = "refused", _("Cannot be imported")


_S = ImportState
IMPORT_MOVES: Final = transitions.table(
    {
        _S.CHECKING: [_S.CHECKING, _S.CHECKED, _S.REFUSED],
        # Looked at again with other columns.
        _S.CHECKED: [_S.CHECKING, _S.IMPORTING],
        _S.REFUSED: [_S.CHECKING],
        _S.IMPORTING: [_S.IMPORTING, _S.DONE, _S.REFUSED],
    }
)
WORKING: Final = (ImportState.CHECKING, ImportState.IMPORTING)


class ImportJob(models.Model):
    """One upload. Written by `import_jobs` only. Its content is deleted a week after the end."""

    State: TypeAlias = ImportState

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="+")
    cadence = fields.CharField(max_length=20, blank=True)
    basis = fields.CharField(max_length=500, blank=True)
    file_name = fields.CharField(max_length=200)
    # The file as it came, compressed; empty once it is deleted.
    content = models.BinaryField(default=bytes)
    # The arguments of `imports.open_source` that somebody chose.
    columns: models.JSONField[Any, Any] = models.JSONField(default=dict)
    # [line, reason] of each record that was refused, compressed JSON without addresses.
    refusals = models.BinaryField(default=bytes)
    # Who was erased up to this consent event is no longer in the content (`import_erasure`).
    erased_until = models.BigIntegerField(default=0, db_default=0, editable=False)
    state = fields.CharField(max_length=12, choices=ImportState.choices, default=ImportState.CHECKING)
    message = fields.CharField(max_length=500, blank=True)
    # How many records the file has, and how many of them are done.
    total = models.PositiveIntegerField(default=0)
    lines = models.PositiveIntegerField(default=0)
    imported = models.PositiveIntegerField(default=0)
    already_there = models.PositiveIntegerField(default=0)
    unconfirmed = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    said_no = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    # Since when the worker of this moment goes through those who said yes, and how many records were done then.
    began_at = models.DateTimeField(null=True)
    began_lines = models.PositiveIntegerField(default=0)
    # A worker that works on it renews this; one that died does not.
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        permissions = [
            ("import_readers", "Can import lists of readers"),
            ("export_readers", "Can export lists of readers"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ImportState.values), name="import_state_is_known"),
        ]
        indexes = [
            # subscribers.tasks.tick: uploads whose task was lost or whose worker died.
            models.Index(fields=["id"], condition=Q(state__in=WORKING), name="import_under_way"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def pace(self) -> Pace:
        """How far it is and how fast it goes, as of now."""
        seconds = (timezone.now() - self.began_at).total_seconds() if self.began_at else 0.0
        return Pace(lines=self.lines, total=self.total, since=self.began_lines, seconds=seconds)

    @property
    def audit_name(self) -> str:
        """The file's name may hold an address."""
        return f"import {self.pk}"
