"""The tabs above the list of stories: in whose hands they are."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from articles import permissions, review
from articles.models import Article
from publication.row_actions import account

State = Article.State


class Hands(admin.SimpleListFilter):
    """My drafts, in review, waiting for me, scheduled, published."""

    title = _("Whose turn it is")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The tabs, in the order of a story's way."""
        return [
            ("mine", _("My drafts")),
            ("waiting", _("Waiting for me")),
            ("review", _("In review")),
            ("scheduled", _("Scheduled")),
            ("published", _("Published")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> QuerySet[Article]:
        """The stories of the tab; without one, all."""
        user = account(request)
        match self.value():
            case "mine":
                own = Article.objects.filter(permissions.own(user)).values("pk")
                return queryset.filter(state=State.DRAFT, pk__in=own)
            case "waiting":
                return queryset.filter(pk__in=review.waiting_for(user).values("pk"))
            case "review":
                return queryset.filter(state__in=(State.IN_REVIEW, State.APPROVED))
            case "scheduled":
                return queryset.filter(state=State.SCHEDULED)
            case "published":
                return queryset.filter(state=State.PUBLISHED)
            case _:
                return queryset
