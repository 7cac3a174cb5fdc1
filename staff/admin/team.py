"""What the admins of people and invitations share: rows that only verbs change, by actions on their page."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone

from publication.readonly_admin import ReadOnlyAdmin
from publication.row_actions import ActionAdmin, account
from staff import roles


class TeamAdmin(ActionAdmin, ReadOnlyAdmin):
    """Shows rows of the team, with what may be done above each."""

    refusals = (roles.NotAllowed,)

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses, and those of the acts."""
        return [*self.action_urls(), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **options: Any) -> HttpResponse:
        """The row, with what may be done."""
        context["actions_detail"] = self.action_links(user=account(request), row=options["obj"])
        response: HttpResponse = super().render_change_form(request, context, **options)
        return response

    def seen(self, request: HttpRequest, pk: int) -> Any:
        """The row, for those who may see the team. On failure: Http404, PermissionDenied."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404(f"There is no {self.opts.model_name} with this number.")
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def zone(self, row: Any) -> str:
        """The desk's: one time zone everywhere."""
        return timezone.get_current_timezone_name()
