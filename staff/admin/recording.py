"""Model admins whose changes are in the audit log, in the transaction of the form."""

from typing import Any, ClassVar

from allauth.core.exceptions import ReauthenticationRequired
from django.db.models import Model
from django.http import HttpRequest

from core import database_clock
from publication.change_lists import ModelAdmin
from publication.row_actions import account
from staff import changes, reauthentication
from staff.audit_actions import AuditAction


class RecordingAdmin(ModelAdmin):
    """Notes the row before the form is saved, and writes what became different into the audit log."""

    audit_action: ClassVar[AuditAction]

    def audited_values(self, row: Any) -> changes.Values:
        """What is compared; a subclass adds rows that belong to this one."""
        return changes.values(row)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A sender is changed by somebody who proved of late who they are; the page that asks goes on from here."""
        if request.method == "POST" and not reauthentication.is_recent(request):
            row = self.get_object(request, object_id) if object_id else None
            if row is not None and any(
                request.POST.get(name, value) != value for name, value in sender_of(row).items()
            ):
                raise ReauthenticationRequired
        return super().changeform_view(request, object_id, form_url, extra_context)

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


def sender_of(row: Any) -> dict[str, str]:
    """Who the mails of a row come from; nothing for a row that sends none."""
    return {name: getattr(row, name) for name in changes.SENDER if hasattr(row, name)}
