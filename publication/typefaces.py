"""The pairs of typefaces that a publication chooses from, and what a page tells the browser about them.

The files are in static/fonts, made by `bin/fonts`. An English page loads those of plain Latin alone. Until they are
there, or when they come too late, the reader has a face of the machine that is stretched so that lines are as
long and as high: nothing moves (docs/decisions/0144).
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import models
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

# By the ends of the files' names, the characters of each file.
RANGES: Final = {
    "latin": "U+0-A0,U+A7,U+A9,U+AB,U+AD,U+B7,U+BB,U+2000-2011,U+2013-2014,U+2018-201A,U+201C-201E,U+2022,U+2026,"
    "U+2028-202F,U+2060-206F,U+20AC,U+2212",
    "latin-1": "U+A1-A6,U+A8,U+AA,U+AC,U+AE-B6,U+B8-BA,U+BC-FF,U+131,U+152-153,U+2BB-2BC,U+2C6,U+2DA,U+2DC,U+2012,"
    "U+2015-2017,U+201B,U+201F-2021,U+2030-205F,U+2122",
    "latin-ext": "U+100-130,U+132-151,U+154-17F,U+192,U+218-21B,U+1E9E,U+20B4,U+20B8,U+20BA,U+20BD",
    "cyrillic": "U+301,U+400-45F,U+2116",
    "cyrillic-ext": "U+462-463,U+472-475,U+490-4FF",
}
# What a page in such a language cannot do without, beside Latin, which digits and quotes come from.
NEEDED: Final = {
    "ru": ["cyrillic"], "ky": ["cyrillic", "cyrillic-ext"], "kk": ["cyrillic", "cyrillic-ext"],
    **{language: ["latin-1"] for language in "da de es fi fr is it nb nl pt sv".split()},
}  # fmt: skip
MEASURES: Final = Path(settings.BASE_DIR) / "static" / "fonts" / "measures.json"
LOCAL: Final = {
    "times": {"regular": ["Times New Roman", "Liberation Serif", "Tinos"],
              "bold": ["Times New Roman Bold", "TimesNewRomanPS-BoldMT", "Liberation Serif Bold", "Tinos Bold"]},
    "noto": {"regular": ["Noto Serif", "Noto Serif Regular"], "bold": ["Noto Serif Bold"]},
    "dejavu": {"regular": ["DejaVu Serif"], "bold": ["DejaVu Serif Bold"]},
}  # fmt: skip


class TypeChoice(models.TextChoices):
    """What an editor chooses from, by name."""

    BROADSHEET = "broadsheet", _("Broadsheet: narrow, dark headlines of a daily paper")
    REVIEW = "review", _("Review: fine, high-contrast headlines of a magazine")
    BULLETIN = "bulletin", _("Bulletin: plain headlines without serifs")


@dataclass(frozen=True)
class Pair:
    """The face of headlines and the face of texts, by the beginnings of their files' names."""

    display: str
    text: str


PAIRS: Final = {
    TypeChoice.BROADSHEET.value: Pair(display="broadsheet", text="sourceserif"),
    TypeChoice.REVIEW.value: Pair(display="review", text="literata"),
    TypeChoice.BULLETIN.value: Pair(display="bulletin", text="sourceserif"),
}
GENERIC: Final = {"bulletin": "sans-serif"}
# Mails load no fonts: families of the same voice that readers' machines have. The first name of each is on Windows,
# because Outlook there takes Times for everything when it does not know the first one.
IN_MAIL: Final = {
    TypeChoice.BROADSHEET.value: Pair(
        display="'Times New Roman', Times, 'Liberation Serif', serif", text="Georgia, 'Times New Roman', serif"
    ),
    TypeChoice.REVIEW.value: Pair(
        display="Georgia, 'Times New Roman', serif", text="Georgia, 'Times New Roman', serif"
    ),
    TypeChoice.BULLETIN.value: Pair(
        display="Arial, 'Helvetica Neue', Helvetica, sans-serif", text="Georgia, 'Times New Roman', serif"
    ),
}


def preloads(choice: str, *, language: str) -> list[str]:
    """The addresses of the fonts that a page in this language begins to load before its style sheet is read."""
    pair = PAIRS[choice]
    scripts = ["latin", *NEEDED.get(language.partition("-")[0], [])]
    return [static(f"fonts/{face}-{script}.woff2") for script in scripts for face in (pair.display, pair.text)]


def faces(choice: str) -> str:
    """The @font-face rules of the pair, its fallbacks, and the two properties that name them."""
    pair = PAIRS[choice]
    rules = [*_display(pair.display), *_text(pair.text)]
    display = _stack("House Display", GENERIC.get(pair.display, "serif"))
    text = _stack("House Text", "serif")
    return "\n".join([*rules, f":root {{ --display: {display}; --serif: {text}; }}", ""])


def _stack(family: str, generic: str) -> str:
    return ", ".join([f'"{family}"', *(f'"{family} {local}"' for local in LOCAL), generic])


def _display(face: str) -> Iterator[str]:
    """One weight serves all headlines, whatever a rule asks for."""
    yield from _files("House Display", face, weight="1 1000")
    yield from _fallbacks("House Display", face, kind="bold", weight="1 1000")


def _text(face: str) -> Iterator[str]:
    for name, weight, style in (
        (face, "400", "normal"),
        (f"{face}-italic", "400", "italic"),
        (f"{face}-bold", "600 1000", "normal"),
    ):
        yield from _files("House Text", name, weight=weight, style=style)
    yield from _fallbacks("House Text", face, kind="regular", weight="400")
    yield from _fallbacks("House Text", f"{face}-bold", kind="bold", weight="600 1000")


def _files(family: str, face: str, *, weight: str, style: str = "normal") -> Iterator[str]:
    for script, characters in RANGES.items():
        address = static(f"fonts/{face}-{script}.woff2")
        yield (
            f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
            "font-display: optional; "
            f'src: url("{address}") format("woff2"); unicode-range: {characters}; }}'
        )


def _fallbacks(family: str, face: str, *, kind: str, weight: str) -> Iterator[str]:
    for local, names in LOCAL.items():
        size, high, deep = (f"{round(number * 100, 2):g}%" for number in _measures()[face][local])
        source = ", ".join(f'local("{name}")' for name in names[kind])
        yield (
            f'@font-face {{ font-family: "{family} {local}"; font-weight: {weight}; src: {source}; '
            f"size-adjust: {size}; "
            f"ascent-override: {high}; descent-override: {deep}; line-gap-override: 0%; }}"
        )


@functools.cache
def _measures() -> dict[str, dict[str, list[float]]]:
    measures: dict[str, dict[str, list[float]]] = json.loads(MEASURES.read_text(encoding="utf-8"))
    return measures
