"""Read-only model admins: for consent events, copies and revisions."""

from typing import Any

from django.http import HttpRequest

from publication.change_lists import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Shows what the verbs write; nobody adds, changes or deletes it by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The verbs make these rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The verbs change these rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They stay."""
        return False
