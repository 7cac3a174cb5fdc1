"""Model admins whose changes are in the audit log, in the transaction of the form."""

from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest

from core import database_clock
from publication.change_lists import ModelAdmin
from publication.row_actions import account
from staff import changes
from staff.audit_actions import AuditAction


class RecordingAdmin(ModelAdmin):
    """Notes the row before the form is saved, and writes what became different into the audit log."""

    audit_action: ClassVar[AuditAction]

    def audited_values(self, row: Any) -> changes.Values:
        """What is compared; a subclass adds rows that belong to this one."""
        return changes.values(row)

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Locked, so that nobody changes it between what is noted and what is saved."""
        row = type(obj)._default_manager.select_for_update(no_key=True).filter(pk=obj.pk).first()  # noqa: SLF001  # Django documents it as public
        form.values_before = self.audited_values(row) if row else {}
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the rows that belong to it: record."""
        super().save_related(request, form, formsets, change)
        changes.record(
            action=self.audit_action,
            row=form.instance,
            before=form.values_before,
            after=self.audited_values(type(form.instance)._default_manager.get(pk=form.instance.pk)),  # noqa: SLF001  # Django documents it as public
            actor=account(request),
            now=database_clock.now(),
        )
