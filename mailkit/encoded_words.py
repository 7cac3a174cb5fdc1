"""RFC 2047: text of any script as encoded words of ASCII, exact for every character, blanks included."""

import base64
from collections.abc import Callable
from typing import Final

# RFC 2047 2: a line that holds an encoded word has at most 76 characters, the word itself at most 75.
_LINE: Final = 76
_WORD: Final = 75
_FRAME: Final = len("=?utf-8?b??=")
# What needs no escape in Q wherever an encoded word is allowed, a display name included (RFC 2047 5 (3)).
_Q_AS_IT_IS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
# The longest character is four bytes, which are twelve characters in Q.
_LEAST_ROOM: Final = 12


def encode(text: str, *, used: int) -> list[str]:
    """The encoded words of `text`, each to be written on a line of its own after one blank.

    `used` is how many characters stand before the first one on its line, that blank included; beside more
    than 52 of them the line becomes a little longer than it should. A text
    that is too long for one word is divided after a blank where it has one: some parsers (CPython's
    before 3.12.9 and 3.13.2, gh-128110) read a blank between two words of a name, which is less to be
    seen there than within a word.
    """
    spell, mark = min((_in_q, "q"), (_in_b, "b"), key=lambda way: len(way[0](text)))
    room = max(min(_WORD, _LINE - used) - _FRAME, _LEAST_ROOM)
    words, start = [], 0
    while start < len(text):
        end = _end(text, start, room, spell)
        words.append(f"=?utf-8?{mark}?{spell(text[start:end])}?=")
        start, room = end, _WORD - _FRAME
    return words


def _end(text: str, start: int, room: int, spell: Callable[[str], str]) -> int:
    """Where the word that begins at `start` ends."""
    if len(spell(text[start:])) <= room:
        return len(text)
    end = start + 1
    while len(spell(text[start : end + 1])) <= room:
        end += 1
    return text.rfind(" ", start, end) + 1 or end


def _in_b(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _in_q(text: str) -> str:
    encoded = ((chr(byte) if byte in _Q_AS_IT_IS else f"={byte:02X}") for byte in text.encode())
    return "".join(encoded).replace("=20", "_")
