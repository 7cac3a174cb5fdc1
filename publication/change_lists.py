"""Change lists of the admin that answer 400 to impossible filters: a year 99999, half a range, a bad pattern.

Django passes the query string to the database as it is, and most of it fails only when the
rows are fetched. So it is tried first, once, and the response to an impossible query is 400.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.core.paginator import Paginator
from django.db import DataError, ProgrammingError, transaction
from django.db.models import DateTimeField, Field, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext_lazy as _
from unfold import admin, views

from publication.moments import MomentField

# Rows that a list counts, and that its pages reach.
MOST_COUNTED: Final = 10_000
# What a value that does not fit makes of a query, from its compilation to its end.
UNASKABLE = (IncorrectLookupParameters, ValueError, OverflowError, IndexError, TypeError, DataError, ProgrammingError)
# What a field says to a text that it cannot read.
UNREADABLE = (ValidationError, ValueError, OverflowError)


class Unaskable(SuspiciousOperation):
    """The filters in the address do not make a query. Django answers 400."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # no subscript at run time
    """Counts no further than MOST_COUNTED rows, and has no page behind them: a search or a filter finds those.

    So no list counts a million rows, or skips over them.
    """

    @cached_property
    def count(self) -> int:
        """The number of rows, MOST_COUNTED at most."""
        return min(self._counted, MOST_COUNTED)

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than are counted."""
        return self._counted > MOST_COUNTED

    @cached_property
    def _counted(self) -> int:
        rows: QuerySet[Any] = self.object_list.order_by()  # type: ignore[attr-defined]  # a list of the admin is a query
        return rows[: MOST_COUNTED + 1].count()


class Listing(views.ChangeList):  # type: ignore[misc]  # django-unfold publishes no types
    """A change list that fetches rows only after its query was found to be possible."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        """The rows of these filters; Unaskable if they make no query."""
        try:
            rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
            if exclude_parameters is None and self.get_filters_params():
                with transaction.atomic():
                    rows.exists()
        except UNASKABLE as error:
            raise Unaskable("The filters in the address of this list do not make a query.") from error
        return rows


class ModelAdmin(admin.ModelAdmin):  # type: ignore[misc]  # django-unfold publishes no types
    """The base of every model admin. It refuses impossible values in URLs and forms with a 400."""

    paginator = BoundedPaginator
    # Without filters and search, how many rows there are would be counted once more.
    show_full_result_count = False
    # What the page of a row that is to be made is called; its place in the menu is beside it.
    new_title: str | Promise = _("New")

    # Every hour is one of the desk's time zone, which is named beside it.
    formfield_overrides: ClassVar[dict[Any, dict[str, Any]]] = {DateTimeField: {"form_class": MomentField}}

    def get_changelist(self, request: HttpRequest, **_options: Any) -> type[Listing]:
        """Our own list."""
        return Listing

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        """The form of a new row, under a title in our own words."""
        return super().add_view(request, form_url, {"title": self.new_title, **(extra_context or {})})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address of a new row suggests for its fields, but for what they could not have."""
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        fields = {field.name: field for field in self.opts.get_fields() if isinstance(field, Field)}
        for name in fields.keys() & given.keys():
            try:
                given[name] = _initial(fields[name], given[name])
            except UNREADABLE:
                del given[name]
        return given

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        """What an action answers; Unaskable if it is to be done to what is no row of any list."""
        try:
            for text in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(text)
        except UNREADABLE as error:
            raise Unaskable("An action names rows that no list has.") from error
        response: HttpResponseBase | None = super().response_action(request, queryset)
        return response


def _initial(field: Field[Any, Any], given: Any) -> Any:
    """What a form shows for the text of an address: of a field its value, of a relation the keys as they are."""
    if field.related_model is None:
        return field.to_python(given)
    for key in given if isinstance(given, list) else [given]:
        field.related_model._meta.pk.to_python(key)  # noqa: SLF001  # Django documents _meta as public
    return given
