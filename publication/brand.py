"""What shows the publication where its pages are not: its icons, and the card of its link previews.

They are drawn from its name, colours, face and logo when somebody asks for them first, and stored. Their address tells
what they are drawn from, so a browser keeps them for a year and gets new ones after a change.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from core import drawings
from publication import colours, typefaces, urls
from publication.heads import SharePicture
from publication.models import Publication

# Raised when the drawings change.
EDITION: Final = 1
SHARE: Final = "share"
FOLDER: Final = "brand"
FONTS: Final = Path(settings.BASE_DIR) / "static" / "fonts"


class Icon(NamedTuple):
    """A square: its side in pixels, and the share of it that stays free around the sign."""

    side: int
    inset: float


ICONS: Final = {
    "icon-48": Icon(48, 0.04),
    "icon-180": Icon(180, 0.1),
    "icon-192": Icon(192, 0.1),
    "icon-512": Icon(512, 0.1),
    # Android cuts a circle out of it, 80 % wide.
    "maskable-512": Icon(512, 0.2),
}


def digest(publication: Publication, *more: str) -> str:
    """What an address says of a drawing: another one for other names, colours, faces, logos and `more`."""
    look = [EDITION, publication.name, publication.accent_colour, publication.ink_colour, publication.typeface]
    known = json.dumps([*look, str(publication.logo), *more])
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def path(publication: Publication, kind: str) -> str:
    """Where a drawing is: `share` or one of ICONS. In no language: one serves all."""
    return f"/{FOLDER}/{digest(publication)}-{kind}.{'jpg' if kind == SHARE else 'png'}"


def share_picture(publication: Publication) -> SharePicture:
    """The card of every page that has no card of its own."""
    return card_at(path(publication, SHARE), alt=publication.name)


def card_at(location: str, *, alt: str) -> SharePicture:
    """A card for the head of a page."""
    width, height = drawings.CARD
    return SharePicture(urls.absolute(location), alt, width, height)


def content(publication: Publication, kind: str) -> bytes:
    """The drawing, from the store or made now. On failure: drawings.NotDrawn."""
    if kind == SHARE:
        return stored(
            path(publication, kind)[1:], lambda: drawings.card(look=look(publication), headline=publication.strapline)
        )
    icon = ICONS[kind]
    return stored(
        path(publication, kind)[1:],
        lambda: drawings.icon(
            look=look(publication),
            initials=initials(publication.name),
            side=icon.side,
            inset=icon.inset,
            logo=read(str(publication.logo)),
        ),
    )


def stored(name: str, draw: Callable[[], bytes]) -> bytes:
    """The stored file of that name; if there is none, what `draw` returns, which is stored."""
    if known := read(name):
        return known
    drawn = draw()
    default_storage.save(name, ContentFile(drawn))
    return drawn


def read(name: str) -> bytes:
    """A stored file; nothing where there is none."""
    try:
        with default_storage.open(name) as file:
            data: bytes = file.read()
            return data
    except (OSError, ValueError):
        return b""


def look(publication: Publication) -> drawings.Look:
    """Name, colours and face, as `core.drawings` wants them."""
    face = typefaces.PAIRS[publication.typeface].display
    return drawings.Look(
        name=publication.name,
        accent=publication.accent_colour,
        on_accent=colours.readable(colours.WHITE, on=publication.accent_colour),
        ink=publication.ink_colour,
        fonts=[
            {"path": str(FONTS / f"{face}-{script}.woff2"), "ranges": _ranges(characters)}
            for script, characters in typefaces.RANGES.items()
        ],
    )


def initials(name: str) -> str:
    """The first letters of the first two words."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "•"


def _ranges(characters: str) -> list[tuple[int, int]]:
    """`U+0-FF,U+131` as pairs of numbers."""
    pairs = (part.removeprefix("U+").split("-") for part in characters.split(","))
    return [(int(pair[0], 16), int(pair[-1], 16)) for pair in pairs]
