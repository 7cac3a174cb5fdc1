"""The time zone of the desk: one for every page and every field, the person's own or the publication's."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from publication import context
from staff import preferences
from staff.admission import DESK

Handler = Callable[[HttpRequest], HttpResponseBase]


def of_the_desk(following: Handler) -> Handler:
    """Middleware: hours that a page of the desk shows or reads are those of the person who is signed in."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(DESK):
            return following(request)
        zone = preferences.time_zone(request.user) or context.of(request).time_zone
        with timezone.override(ZoneInfo(zone)):
            return following(request)

    return handle
