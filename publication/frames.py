"""A page as a frame that all pages of its kind share, with slots for what is its own.

The template of the frame is written once for each language, with a mark in each slot, and cut there. A page then costs
no more than its own parts.
"""

from collections.abc import Mapping
from typing import Final

from django.http import HttpRequest
from django.template.loader import get_template, render_to_string
from django.utils.safestring import SafeString, mark_safe

from publication import languages, shared_parts
from publication.models import Publication
from publication.shared_parts import SharedParts

# No text of the database has it.
MARK: Final = "\0"


def fill(template: str, slots: Mapping[str, str], request: HttpRequest, *, publication: Publication) -> str:
    """The page of this template, which has each `{{ slots.NAME }}` once, outside of what is shared."""
    language = languages.declared(publication=publication)
    pieces = shared_parts.of(request).words(("frame", template, language), lambda: _cut(template, slots, request))
    return "".join(slots[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def written(template: str, **shown: object) -> SafeString:
    """A part of a page, without what the context processors give to whole pages."""
    return mark_safe(get_template(template).render(shown))  # noqa: S308  # Django has escaped it


def around(template: str, *, parts: SharedParts) -> tuple[str, str]:
    """What is before and behind the one slot, `{{ slot }}`, of a part that is the same everywhere but for that."""
    marked = mark_safe(MARK)  # noqa: S308  # ours
    before, _, behind = parts.words(("around", template), lambda: written(template, slot=marked)).partition(MARK)
    return before, behind


def _cut(template: str, slots: Mapping[str, str], request: HttpRequest) -> list[str]:
    """The words between the slots, and at every second place the name of a slot."""
    marked = {name: mark_safe(f"{MARK}{name}{MARK}") for name in slots}  # noqa: S308  # names of ours
    return render_to_string(template, {"slots": marked}, request).split(MARK)
