"""The inbox alone, at its usual place, with a page for what is not found that needs no site around it."""

from django.http import HttpRequest, HttpResponseNotFound
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("inbox/", include("mailkit.inbox.urls"))]


def handler404(_request: HttpRequest, exception: Exception) -> HttpResponseNotFound:
    """Nothing but the status."""
    return HttpResponseNotFound(type(exception).__name__)
