"""Context processor: the sections in every page's navigation."""

import functools
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from articles import story_rows
from publication import shared_parts


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`navigation_sections`, in their order, and `section_here`: the path of this page if it is one of theirs.

    Nothing is asked of the database until a template uses it.
    """
    sections = functools.cache(lambda: list(story_rows.sections(shared_parts.of(request)).values()))

    def here() -> str:
        paths = shared_parts.of(request).words("paths", lambda: {each.get_absolute_url() for each in sections()})
        return request.path if request.path in paths else ""

    return {"navigation_sections": SimpleLazyObject(sections), "section_here": SimpleLazyObject(here)}
