"""The readers' one style sheet: our rules, the chosen faces and colours, under a name that tells its content.

A browser keeps it for a year. A page names the sheet of its own publication, and a browser that asks by an older name
gets today's, which is to be asked for again.
"""

import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import brotli  # type: ignore[import-untyped]  # it has no annotations
from django.conf import settings

from publication import colours, typefaces
from publication.models import Publication

FOLDER: Final = Path(settings.BASE_DIR) / "static" / "css"
# In the order in which they overrule each other.
SCREEN: Final = ("site.css", "signup.css", "reading.css", "cards.css")
PAPER: Final = "print.css"
NOTE: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
BLANKS: Final = re.compile(r"\s+")
AROUND: Final = re.compile(r"\s*([{};,])\s*")


@dataclass(frozen=True)
class Sheet:
    """The whole of the rules, and their address's digest."""

    text: str
    digest: str

    @functools.cached_property
    def packed(self) -> Mapping[str, bytes]:
        """In each content coding; made when a browser first asks for the sheet, since a page needs its name alone."""
        content = self.text.encode()
        return {"br": brotli.compress(content), "gzip": gzip.compress(content, compresslevel=9, mtime=0)}

    @property
    def path(self) -> str:
        """Where it is. In no language: one sheet serves all."""
        return f"/site-{self.digest}.css"


def current(publication: Publication) -> Sheet:
    """The publication's sheet. It is put together once for each look, and again when a file changed under DEBUG."""
    look = (publication.ink_colour, publication.accent_colour, publication.typeface)
    edition = max((FOLDER / name).stat().st_mtime_ns for name in (*SCREEN, PAPER)) if settings.DEBUG else 0
    return _sheet(look, edition)


@functools.lru_cache(maxsize=16)
def _sheet(look: tuple[str, str, str], _edition: int) -> Sheet:
    ink, accent, typeface = look
    rules = [(FOLDER / name).read_text(encoding="utf-8") for name in SCREEN]
    text = small("\n".join([
        *rules,
        typefaces.faces(typeface),
        colours.stylesheet(Publication(ink_colour=ink, accent_colour=accent)),
        # Last, so that paper is white whatever the colours of the screen are.
        f"@media print {{ {(FOLDER / PAPER).read_text(encoding='utf-8')} }}",
    ]))  # fmt: skip
    return Sheet(text=text, digest=hashlib.sha256(text.encode()).hexdigest()[:12])


def small(rules: str) -> str:
    """The same rules without notes, and without the blanks that only people need."""
    return AROUND.sub(r"\1", BLANKS.sub(" ", NOTE.sub("", rules))).replace(";}", "}").strip()
