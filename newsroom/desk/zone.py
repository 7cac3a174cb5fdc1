"""The time zone of the desk: the publication's, on every page and in every field."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from publication import context
from staff.admission import DESK

Handler = Callable[[HttpRequest], HttpResponseBase]


def of_the_desk(following: Handler) -> Handler:
    """Middleware: hours that a page of the desk shows or reads are the publication's."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(DESK):
            return following(request)
        with timezone.override(ZoneInfo(context.of(request).time_zone)):
            return following(request)

    return handle
