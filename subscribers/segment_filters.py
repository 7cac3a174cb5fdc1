"""The segments as a filter of the list of readers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from subscribers import segments
from subscribers.models import Segment, Subscriber


class InSegment(admin.SimpleListFilter):
    """Readers with a subscription in the segment, in any state."""

    title = _("segment")
    parameter_name = "segment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those of this person's newsletters."""
        return [(str(row.pk), f"{row.newsletter.name}: {row.name}") for row in _seen(request)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> QuerySet[Subscriber]:
        """The readers in the chosen one; nobody where it is none of this person's."""
        if not self.value():
            return queryset
        row = next((one for one in _seen(request) if str(one.pk) == self.value()), None)
        if row is None:
            return queryset.none()
        return queryset.filter(Exists(segments.readers(segment=row).filter(subscriber=OuterRef("pk"))))


def _seen(request: HttpRequest) -> list[Segment]:
    return list(segments.seen(user=request.user if isinstance(request.user, User) else None))
