"""How a variant of an issue is named: by what its readers chose and are to hear."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from publication.formats import Format

HEADLINES: Final = Format.HEADLINES.value
# In place of a key, of a copy that its reader does not get: no story of the issue is on their topics.
WITHOUT: Final = "-"
PATTERN: Final = re.compile(r"([^.]*)(?:\.(\d+))?(?:\.(h))?(?:\.a(\d+))?")


class VariantKey(NamedTuple):
    """What tells a text of an issue from its others; str() is what copies name, empty for the snapshot itself.

    `language` is empty for the issue's own. `topics` is 0 for all stories, or a number of the snapshot's audience rule.
    `reading` is empty for stories in full, or "headlines". `amended` is 0, or the number of a set of amendments in the
    audience rule: the text tells of them.
    """

    language: str = ""
    topics: int = 0
    reading: str = ""
    amended: int = 0

    def __str__(self) -> str:
        topics = f".{self.topics}" if self.topics else ""
        amended = f".a{self.amended}" if self.amended else ""
        return f"{self.language}{topics}{'.h' if self.reading else ''}{amended}"

    @classmethod
    def parse(cls, key: str) -> VariantKey:
        """The key that copies name so; WITHOUT is read as the snapshot's. On failure: ValueError."""
        parts = PATTERN.fullmatch("" if key == WITHOUT else key)
        if parts is None:
            raise ValueError(key)
        language, topics, reading, amended = parts.groups()
        return cls(language, int(topics or 0), HEADLINES if reading else "", int(amended or 0))

    @property
    def is_whole(self) -> bool:
        """Whether it has all stories, in full, and nothing else: such a text is shown on the web."""
        return not self.topics and not self.reading and not self.amended


# The issue's own text: all stories, in full.
OWN: Final = VariantKey()
