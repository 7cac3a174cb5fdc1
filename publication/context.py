"""Context processor: the publication and its look, for every template."""

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from publication import brand, language_switch, languages, shared_parts, stylesheet, typefaces
from publication.models import Publication

ATTRIBUTE: Final = "_publication"


def of(request: HttpRequest) -> Publication:
    """The publication as it was when the request came; only for reading, as other requests share it."""
    if (known := getattr(request, ATTRIBUTE, None)) is None:
        known = shared_parts.of(request).part("publication", Publication.objects.stored)
        setattr(request, ATTRIBUTE, known)
    publication: Publication = known
    return publication


def show_as(request: HttpRequest, publication: Publication) -> None:
    """Let the page of this request be that of a publication that is not saved."""
    setattr(request, ATTRIBUTE, publication)
    shared_parts.keep_nothing(request)


def publication(request: HttpRequest) -> dict[str, Any]:
    """`publication` (read only when a template uses it), `site_url`, `page_language` for `lang`, and its look.

    `languages_of_page` are the links of the language switch, `alternates` the same for search engines.
    `sheet` is the address of the one style sheet, `fonts` are those that are loaded beside it.
    """
    return {
        "sheet": SimpleLazyObject(lambda: stylesheet.current(of(request)).path),
        "fonts": SimpleLazyObject(
            lambda: typefaces.preloads(of(request).typeface, language=translation.get_language() or "")
        ),
        "touch_icon": SimpleLazyObject(lambda: brand.path(of(request), "icon-180")),
        "share_picture": SimpleLazyObject(lambda: brand.share_picture(of(request))),
        "publication": SimpleLazyObject(lambda: of(request)),
        "page_language": SimpleLazyObject(lambda: languages.declared(publication=of(request))),
        "languages_of_page": SimpleLazyObject(lambda: language_switch.ways(request, publication=of(request))),
        "alternates": SimpleLazyObject(lambda: language_switch.alternates(request, publication=of(request))),
        "site_url": settings.SITE_URL,
    }
