"""What every template may say about the house."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from publication.models import Publication


def publication(_request: HttpRequest) -> dict[str, Any]:
    """`publication` (read from the database only when a template uses it) and `site_url`."""
    return {"publication": SimpleLazyObject(Publication.objects.current), "site_url": settings.SITE_URL}
