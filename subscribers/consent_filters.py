"""Filters by the consent record whose choices are known without reading its rows, of which there may be millions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from subscribers.consent_sources import SOURCES
from subscribers.models import ConsentEvent, Newsletter


class AboutNewsletter(admin.SimpleListFilter):
    """The newsletter that an act is about, also under a name that it had."""

    title = _("newsletter")
    parameter_name = "newsletter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All newsletters, by the name of today."""
        return list(Newsletter.objects.order_by("name").values_list("slug", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[ConsentEvent]) -> QuerySet[ConsentEvent]:
        """By the index `consent_event_of_days`."""
        newsletter = Newsletter.objects.filter(slug=self.value() or "").first()
        if newsletter is None:
            return queryset
        return queryset.filter(newsletter_slug__in=[newsletter.slug, *newsletter.former_slugs])


class Behind(admin.SimpleListFilter):
    """Subscriptions that are not mailed because of the legal text that their newsletter demands."""

    title = _("legal texts")
    parameter_name = "behind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """One choice besides all."""
        return [("1", _("Not mailed until they agree"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """As the rule has it."""
        return queryset.behind() if self.value() == "1" else queryset


class Source(admin.SimpleListFilter):
    """How an act came about."""

    title = _("source")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Every source that has words."""
        return list(SOURCES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[ConsentEvent]) -> QuerySet[ConsentEvent]:
        """The acts of this source."""
        return queryset.filter(source=self.value()) if self.value() else queryset
