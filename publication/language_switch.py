"""The same page in the publication's other languages: for the switch in the masthead and for search engines.

A page is at the same path in every language, unless its view says otherwise with `only_in`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext, override

from publication import frames, languages, urls
from publication.models import Publication

ATTRIBUTE: Final = "_in_other_languages"
# The pages behind a reader's own links speak the reader's language, whatever their path says.
READERS_OWN: Final = re.compile(r"/(confirm|preferences|unsubscribe|address|agree|keep)/.+")


class Way(NamedTuple):
    """A link to the page in a language; where the page is not there in it, to that language's front page."""

    language: str
    name: str
    url: str
    is_here: bool
    # In that language: that the link leads to its front page; empty where it leads to the same page.
    remark: str


class Alternate(NamedTuple):
    """The whole address of this page in a language; `x-default` is for everybody else."""

    language: str
    url: str


def only_in(request: HttpRequest, addresses: Mapping[str, str]) -> None:
    """Say in which languages this page is there, and at which paths."""
    setattr(request, ATTRIBUTE, dict(addresses))


def ways(request: HttpRequest, *, publication: Publication) -> list[Way]:
    """The links of the switch, in the publication's order; none where there is nothing to choose."""
    if READERS_OWN.fullmatch(request.path_info):
        return []
    query = f"?{urlencode({'q': request.GET['q']})}" if request.GET.get("q") else ""
    return _ways(_addresses(request, publication), publication, query)


def alternates(request: HttpRequest, *, publication: Publication) -> list[Alternate]:
    """For search engines: this page in each language in which it is there; none for one language or a later page."""
    if request.GET or READERS_OWN.fullmatch(request.path_info):
        return []
    return _alternates(_addresses(request, publication), publication)


def slots(addresses: Mapping[str, str], *, publication: Publication) -> dict[str, str]:
    """Both as a page that is at these paths has them, for the slots of its frame."""
    return {
        "languages": frames.written("_languages.html", languages_of_page=_ways(addresses, publication)),
        "alternates": frames.written("_alternates.html", alternates=_alternates(addresses, publication)),
    }


def _ways(addresses: Mapping[str, str], publication: Publication, query: str = "") -> list[Way]:
    if len(publication.languages) < 2:
        return []
    here = languages.declared(publication=publication)
    return [_way(language, addresses, query, is_here=language == here) for language in publication.languages]


def _alternates(addresses: Mapping[str, str], publication: Publication) -> list[Alternate]:
    known = [language for language in publication.languages if language in addresses]
    if len(known) < 2:
        return []
    listed = [Alternate(language, urls.absolute(addresses[language])) for language in known]
    return [*listed, Alternate("x-default", listed[0].url)]


def _addresses(request: HttpRequest, publication: Publication) -> dict[str, str]:
    addresses: dict[str, str] | None = getattr(request, ATTRIBUTE, None)
    return at_path(request.path_info, publication=publication) if addresses is None else addresses


def at_path(path: str, *, publication: Publication) -> dict[str, str]:
    """The path of a page in each language."""
    prefixes = {each: languages.prefix(language=each, publication=publication) for each in publication.languages}
    return {language: prefix + path.lstrip("/") for language, prefix in prefixes.items()}


def _way(language: str, addresses: Mapping[str, str], query: str, *, is_here: bool) -> Way:
    name = languages.name_of(language)
    if language in addresses:
        return Way(language, name, addresses[language] + query, is_here, "")
    with override(languages.catalogue(language)):
        return Way(language, name, languages.path_in(language, "front"), is_here, gettext("front page"))
