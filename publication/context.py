"""Context processor: the publication, for every template."""

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from publication import languages
from publication.models import Publication

KEPT_AS: Final = "_publication"


def of(request: HttpRequest) -> Publication:
    """The publication, read from the database once for each request."""
    if (known := getattr(request, KEPT_AS, None)) is None:
        known = Publication.objects.current()
        setattr(request, KEPT_AS, known)
    publication: Publication = known
    return publication


def publication(request: HttpRequest) -> dict[str, Any]:
    """`publication` (read only when a template uses it), `site_url`, and `page_language` for `lang`."""
    return {
        "publication": SimpleLazyObject(lambda: of(request)),
        "page_language": SimpleLazyObject(lambda: languages.declared(publication=of(request))),
        "site_url": settings.SITE_URL,
    }
