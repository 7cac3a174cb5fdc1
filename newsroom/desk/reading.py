"""A page of the desk that only shows something reads once what many of its parts ask for."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from publication import context, models
from staff import limits
from staff.admission import DESK

Handler = Callable[[HttpRequest], HttpResponseBase]


def once(following: Handler) -> Handler:
    """Middleware: the publication and the limits of a person are read once for a GET. What acts reads them again."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        if request.method not in {"GET", "HEAD"} or not request.path_info.startswith(DESK):
            return following(request)
        # A copy: that of the request is kept for others.
        publication = functools.cache(lambda: copy.copy(context.of(request)))
        with models.read_once(publication), limits.read_once():
            return following(request)

    return handle
