"""Messages to an author about a text: what was removed, which limit was exceeded, and in which line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

MOST: Final = 10

_FORM = gettext_lazy("A form cannot be shown and is left out. Link to the page that has it.")
_WITH_ALL = gettext_lazy("The tag <%(name)s> is left out, with all that is in it.")
_ELEMENTS: Mapping[str, str | Promise] = {
    "iframe": gettext_lazy("An embedded page (iframe) cannot be shown and is left out. Link to it instead."),
    "embed": gettext_lazy("Embedded content (embed) cannot be shown and is left out. Link to it instead."),
    "object": gettext_lazy("Embedded content (object) cannot be shown and is left out. Link to it instead."),
    "video": gettext_lazy("A video cannot be shown and is left out. Link to it instead."),
    "audio": gettext_lazy("A sound cannot be played and is left out. Link to it instead."),
    "script": gettext_lazy("A script is left out: texts hold no programs."),
    "style": gettext_lazy("A style sheet is left out: the look of a text is the publication's."),
    "svg": gettext_lazy("A drawing (svg) cannot be shown and is left out. Upload it as a picture."),
    "math": gettext_lazy(
        "A formula (math) cannot be shown and is left out. Write it as text, or upload a picture of it."
    ),
    "img": gettext_lazy("Pictures cannot be shown in this text, and this one is left out."),
    **dict.fromkeys(("noscript", "template", "title"), _WITH_ALL),
    **dict.fromkeys(("form", "input", "button", "select", "textarea"), _FORM),
}
_TAG = gettext_lazy(
    "The tag <%(name)s> is left out; the words in it stay. To show the tag itself, put backquotes around it: "
    "`<%(name)s>`."
)
_KINDS: Mapping[str, str | Promise] = {
    "picture": gettext_lazy(
        "The picture “%(shown)s” is not one of ours and is left out. Upload it under Images, and name it by its number."
    ),
    "link": gettext_lazy(
        "The link “%(shown)s” is left out; its words stay. A link begins with https://, http://, mailto: or /."
    ),
    "attribute": gettext_lazy("The attribute %(shown)s of <%(name)s> has no effect here and is left out."),
    "card": gettext_lazy(
        "“%(shown)s” is no card and is shown as it is typed. Cards are: ::: note, ::: warning and ::: quote with a "
        "text up to a line :::, and ::: story ADDRESS, ::: signup and ::: embed https://…"
    ),
    "anchor": gettext_lazy("The link “%(shown)s” leads to no heading and no note of this text."),
}
_REFUSALS: Mapping[str, str | Promise] = {
    "depth": gettext_lazy(
        "The text is nested too deeply: at most %(most)s lists, quotations or emphases inside one another."
    ),
    "rows": gettext_lazy(
        "The table has more than %(most)s rows, which is the limit. Divide it, or offer it as a file and link to that."
    ),
    "cells": gettext_lazy(
        "The table has more than %(most)s cells, which is the limit. Divide it, or offer it as a file and link to that."
    ),
    "items": gettext_lazy("The text has more than %(most)s list items, which is the limit. Divide it into parts."),
}


def left_out(removals: Sequence[Mapping[str, Any]], *, source: str) -> tuple[str, ...]:
    """One sentence for each thing that is not shown, with its line in `source`; after MOST of them, their number."""
    lines = _Lines(source)
    sentences = [_with_line(_removal(removal), lines.of(removal["places"])) for removal in removals[:MOST]]
    if (more := len(removals) - MOST) > 0:
        sentence = ngettext(
            "%(count)d more place is left out for reasons like these.",
            "%(count)d more places are left out for reasons like these.",
            more,
        )
        sentences.append(sentence % {"count": more})
    return tuple(sentences)


def refusal(reason: Mapping[str, Any], *, source: str) -> str:
    """Why the text is not rendered: which limit it goes over, and what can be done."""
    sentence = str(_REFUSALS[reason["limit"]]) % {"most": f"{reason['most']:,}"}
    return _with_line(sentence, _Lines(source).of(reason["places"]))


class _Lines:
    """Finds the lines of things in their order: the same thing a second time is looked for further down."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._after: dict[str, int] = {}

    def of(self, places: Iterable[str]) -> int:
        """The number of the line with the first of `places` that occurs; 0 if none does."""
        for place in places:
            at = self._source.find(place, self._after.get(place, 0))
            if at >= 0:
                self._after[place] = at + 1
                return self._source.count("\n", 0, at) + 1
        return 0


def _removal(removal: Mapping[str, Any]) -> str:
    if removal["kind"] == "element":
        return str(_ELEMENTS.get(removal["name"], _TAG)) % {"name": removal["name"]}
    return str(_KINDS[removal["kind"]]) % {"name": removal["name"], "shown": removal["shown"]}


def _with_line(sentence: str, line: int) -> str:
    return gettext("Line %(line)d: %(sentence)s") % {"line": line, "sentence": sentence} if line else sentence
