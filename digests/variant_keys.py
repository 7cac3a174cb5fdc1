"""How a variant of an issue is named: by the language, the topics and the format of its readers."""

from __future__ import annotations

from typing import Final, NamedTuple

from publication.formats import Format

HEADLINES: Final = Format.HEADLINES.value
# In place of a key, of a copy that its reader does not get: no story of the issue is on their topics.
WITHOUT: Final = "-"


class VariantKey(NamedTuple):
    """What tells a text of an issue from its others; str() is what copies name, empty for the snapshot itself.

    `language` is empty for the issue's own. `topics` is 0 for all stories, or a number of the snapshot's audience rule.
    `reading` is empty for stories in full, or "headlines".
    """

    language: str = ""
    topics: int = 0
    reading: str = ""

    def __str__(self) -> str:
        topics = f".{self.topics}" if self.topics else ""
        return f"{self.language}{topics}{'.h' if self.reading else ''}"

    @classmethod
    def parse(cls, key: str) -> VariantKey:
        """The key that copies name so; WITHOUT is read as the snapshot's. On failure: ValueError."""
        language, *parts = ("" if key == WITHOUT else key).split(".")
        reading = HEADLINES if parts[-1:] == ["h"] else ""
        numbers = parts[:-1] if reading else parts
        if len(numbers) > 1:
            raise ValueError(key)
        return cls(language, int(numbers[0]) if numbers else 0, reading)

    @property
    def is_whole(self) -> bool:
        """Whether it has all stories, in full: such a text is shown on the web."""
        return not self.topics and not self.reading


# The issue's own text: all stories, in full.
OWN: Final = VariantKey()
