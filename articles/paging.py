"""Readers' lists of stories, a page of PAGE_SIZE at a time."""

from collections.abc import Sequence
from typing import Any, Final

from django.core.paginator import InvalidPage, Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

PAGE_SIZE: Final = 12


def page_of(rows: QuerySet[Any] | Sequence[Any], *, request: HttpRequest) -> Page[Any]:
    """The page that the address asks for by `?page=`, the first without it. On failure: Http404."""
    try:
        return Paginator(rows, PAGE_SIZE).page(request.GET.get("page", "1"))
    except InvalidPage as error:
        raise Http404("There is no such page of this list.") from error
