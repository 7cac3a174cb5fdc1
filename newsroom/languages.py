"""The language of a request: by its path for readers, by the browser for editors. No cookie is read or set."""

import re
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import translation

from newsroom import middleware
from publication import context, languages
from publication.models import Publication

ADMIN: Final = "/admin/"
# What no reader reads has no language in its path.
MACHINES: Final = ("/metrics", "/webhooks/", "/media/", "/api/", "/inbox/", "/l/")
PREFIX: Final = re.compile(r"/(?P<language>[a-z]{2,3}(?:-[a-z0-9]{2,8})*)(?P<rest>/.*)?", re.DOTALL)

Handler = Callable[[HttpRequest], HttpResponseBase]


def by_path(following: Handler) -> Handler:
    """Middleware: `/ru/...` is the page of `...` in Russian, and a path without a language is in the first one."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(ADMIN):
            with translation.override(_editors(request)), languages.read_by(lambda: context.of(request)):
                return following(request)
        if request.path_info.startswith(MACHINES):
            return following(request)
        try:
            publication = context.of(request)
        except Exception as error:
            if (away := middleware.response_to(error)) is None:
                raise
            return away
        return _readers(request, publication, following)

    return handle


def _readers(request: HttpRequest, publication: Publication, following: Handler) -> HttpResponseBase:
    language, rest = _split(request.path_info, publication)
    if not language:
        with languages.override(publication.language, publication=publication):
            return following(request)
    if rest == "/" and not request.path_info.endswith("/"):
        return _redirect(request, f"/{language}/")
    if language not in publication.languages[1:] and request.method in {"GET", "HEAD"}:
        # A language that is served no longer, or first now: old links still lead to the page.
        return _redirect(request, rest)
    request.path_info = rest
    with languages.override(language, publication=publication):
        return following(request)


def _split(path: str, publication: Publication) -> tuple[str, str]:
    """The language of the path and the path behind it; an empty language for a path that has none."""
    match = PREFIX.fullmatch(path)
    if match is None or match["language"] not in {*dict(settings.LANGUAGES), *publication.languages}:
        return "", path
    # One slash: a path that began with two would lead to another site.
    rest = "/" + (match["rest"] or "").lstrip("/")
    return ("", path) if rest.startswith((ADMIN, *MACHINES)) else (match["language"], rest)


def _redirect(request: HttpRequest, path: str) -> HttpResponseRedirect:
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"{path}?{query}" if query else path)


def _editors(request: HttpRequest) -> str:
    """The browser's language, if the catalogue has the editors' sentences too."""
    asked = translation.get_language_from_request(request)
    return asked if asked in settings.EDITORS_LANGUAGES else settings.LANGUAGE_CODE
