"""Why something was refused, held or lost: a code and parameters are stored, the sentence is made when it is read.

Code branches on codes, and reports group by them; a sentence is for a person, in that person's language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from django.db.models import TextChoices
from django.utils.functional import Promise

from mailkit import characters

Parameters = Mapping[str, Any]
# A text with its parameters by name, or what makes one of them.
Template = str | Promise | Callable[[Parameters], str]

LONGEST_PARAMETER: Final = 300


class Reason(NamedTuple):
    """A code and what its sentence names; the empty code is no reason at all."""

    code: str = ""
    parameters: Parameters = MappingProxyType({})

    def __bool__(self) -> bool:
        return bool(self.code)

    def columns(self, name: str = "reason") -> dict[str, Any]:
        """As two columns of a row: the code, and its parameters or NULL."""
        stored = {key: _storable(value) for key, value in self.parameters.items()}
        return {name: str(self.code), f"{name}_parameters": stored or None}


def _storable(value: Any) -> Any:
    """Texts of other people as one line without control characters, which jsonb does not take, and not too long."""
    return characters.line(value)[:LONGEST_PARAMETER] if isinstance(value, str) else value


class Catalogue:
    """The codes that a column may hold, and the sentence of each.

    A code's label is its sentence without parameters: it names the code in filters, and is shown for a
    sentence of which a parameter is missing.
    """

    def __init__(self, *codes: type[TextChoices], sentences: Mapping[str, Template]) -> None:
        self._labels = {str(code): code for enum in codes for code in enum}
        self._sentences = {str(code): template for code, template in sentences.items()}

    def choices(self) -> list[tuple[str, str]]:
        """Codes with their labels, as a field and its filter want them."""
        return [(value, str(code.label)) for value, code in self._labels.items()]

    def sentence(self, code: str, parameters: Parameters | None) -> str:
        """What a person reads; empty for no reason. A code that this version does not know is shown itself.

        The parameter `text` is a person's own words, or a sentence that was stored whole: it is shown as it is.
        """
        template = self._sentences.get(code)
        if parameters and "text" in parameters:
            return str(parameters["text"])
        try:
            if callable(template) and not isinstance(template, Promise):
                return template(parameters or {})
            if template is not None:
                return str(template) % (parameters or {})
        except (KeyError, TypeError, ValueError):
            pass
        return str(self._labels[code].label) if code in self._labels else code
