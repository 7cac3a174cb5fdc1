"""Whether the system works, for its administrators: each part, and what is wrong with it."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from newsroom import health
from newsroom.desk import pages
from publication.row_actions import account


@pages.page("digests.view_delivery")
def system_health(request: HttpRequest) -> HttpResponse:
    """As `/readyz` has it, in a table."""
    if not account(request).is_superuser:
        raise PermissionDenied
    parts = health.parts()
    return pages.show(
        request, "admin/desk/health.html", title=_("Health"), is_task=True, parts=parts,
        is_well=set(parts.values()) <= health.GOOD,
    )  # fmt: skip
