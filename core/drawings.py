"""Pictures that we draw ourselves: a card with a headline, and the publication's icon. Drawn in a sandboxed process.

The faces are those of the pages; a card whose words have a letter that they lack has no such words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailkit import sandbox

SECONDS: Final = 20.0
MEGABYTES: Final = 768
CARD: Final = (1200, 630)


class NotDrawn(Exception):
    """The drawing failed: out of time or memory."""


@dataclass(frozen=True, slots=True)
class Look:
    """The publication's name, colours and face; `fonts` are files and the ranges of characters that each has."""

    name: str
    accent: str
    on_accent: str
    ink: str
    fonts: Sequence[dict[str, Any]]


def card(*, look: Look, headline: str, photograph: bytes = b"") -> bytes:
    """A JPEG of 1,200 x 630: the headline, over the photograph if there is one, and the name. On failure: NotDrawn."""
    width, height = CARD
    return _draw({"kind": "card", "width": width, "height": height, "headline": headline}, look, look.name, photograph)


def icon(*, look: Look, initials: str, side: int, inset: float, logo: bytes = b"") -> bytes:
    """A square PNG with the logo or the initials, free of both by `inset` of the side. On failure: NotDrawn."""
    return _draw({"kind": "icon", "width": side, "inset": inset}, look, initials, logo)


def _draw(request: dict[str, Any], look: Look, name: str, payload: bytes) -> bytes:
    colours = {"accent": look.accent, "on_accent": look.on_accent, "ink": look.ink}
    try:
        _head, drawn = sandbox.run(
            module="core.drawing_child",
            request=request | colours | {"name": name, "fonts": list(look.fonts)},
            payload=payload,
            seconds=SECONDS,
            megabytes=MEGABYTES,
        )
    except (sandbox.TimedOut, sandbox.Failed) as error:
        raise NotDrawn from error
    return drawn
