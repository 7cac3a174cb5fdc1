"""The publication in the admin: one row, so the list leads straight to it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from publication.forms import PublicationForm
from publication.models import Publication
from staff.admin.senders import SenderAdmin
from staff.audit_actions import AuditAction


@admin.register(Publication)
class PublicationAdmin(SenderAdmin):
    """Who we are, in five tabs."""

    audit_action = AuditAction.PUBLICATION_CHANGED
    form = PublicationForm
    warn_unsaved_form = True
    # Beside the preview there is no room for labels beside the fields.
    compressed_fields = False
    fieldsets = (
        (
            _("Name"),
            {
                "classes": ["tab"],
                "description": _("What readers see at the head of every page and every mail."),
                "fields": ("name", "strapline", "owner"),
            },
        ),
        (
            _("Look"),
            {
                "classes": ["tab"],
                "description": _("Text is kept readable on light and dark screens, whatever colours are chosen."),
                "fields": ("logo", "typeface", "accent_colour", "ink_colour"),
            },
        ),
        (
            _("Mail"),
            {
                "classes": ["tab"],
                "description": _(
                    "A newsletter may set a sender of its own. Mails that are already frozen do not change."
                ),
                "fields": ("sender_name", "sender_address", "reply_to", "mail_format"),
            },
        ),
        (
            _("Languages"),
            {
                "classes": ["tab"],
                "description": _("Of the pages. A newsletter has a language of its own."),
                "fields": ("language", "further_languages"),
            },
        ),
        (
            _("Contact and place"),
            {
                "classes": ["tab"],
                "description": _("Stands at the foot of every page and every mail."),
                "fields": ("postal_address", "contact_address", "time_zone"),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one publication; it makes itself."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Publication | None = None) -> bool:
        """Every page and mail needs it."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Go to the row itself."""
        row = Publication.objects.current()
        return HttpResponseRedirect(reverse("admin:publication_publication_change", args=[row.pk]))
