"""What the desk's own pages share: who may open them, and the frame around them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from publication.row_actions import account

View = Callable[..., HttpResponseBase]


def page(permission: str, *methods: str) -> Callable[[View], View]:
    """A page of the admin for those with the permission; others are asked to sign in, or refused with 403.

    Without the name of a permission the view itself asks.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
            if permission and not account(request).has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **options)

        allowed: View = admin.site.admin_view(require_http_methods(["GET", "HEAD", *methods])(guarded))
        return allowed

    return decorate


def saved(text: str, *, name: str) -> HttpResponse:
    """JSON to be saved as a file of this name, never stored by a browser or proxy."""
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def show(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    """The template in the frame of the desk, never stored by a browser or proxy."""
    response = render(request, template, {**admin.site.each_context(request), **context})
    response["Cache-Control"] = "no-store"
    return response
