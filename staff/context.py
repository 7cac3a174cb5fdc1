"""What the pages of accounts show around them: the admin's own frame."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _

from publication.models import Publication
from staff import admission

INSIDE, OUTSIDE = "account/_inside.html", "account/_outside.html"


def account_pages(request: HttpRequest) -> dict[str, Any]:
    """For a page of accounts, which are those below /admin/ without a namespace: the admin's context, and a frame."""
    match = request.resolver_match
    if match is None or match.app_names or not request.path_info.startswith(admission.DESK):
        return {}
    is_inside = request.user.is_authenticated and not admission.lacks_second_factor(request.user)
    return {
        **admin.site.each_context(request),
        "title": _("My account"),
        "account_layout": INSIDE if is_inside else OUTSIDE,
        # A link to a new password is offered where letters can leave.
        "can_mail": bool(Publication.objects.current().sender().address),
        "must_set_up": request.user.is_authenticated and not is_inside,
    }
