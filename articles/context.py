"""Context processor: the sections in every page's navigation."""

from django.db.models import QuerySet
from django.http import HttpRequest

from articles.models import Section


def navigation(_request: HttpRequest) -> dict[str, QuerySet[Section]]:
    """`navigation_sections`, in their order. Nothing is asked of the database until a template uses it."""
    return {"navigation_sections": Section.objects.all()}
