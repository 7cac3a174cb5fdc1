"""Which encoding a file is written in: certainly, or not at all.

A name that is stored wrongly is worse than a question.
"""

import codecs
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import charset_normalizer

BLOCK = 1 << 20  # bytes
SAMPLE = 1 << 16  # bytes
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What spreadsheets and old systems write, with the names under which people know them.
LEGACY = {
    "cp1252": "windows-1252", "cp1251": "windows-1251", "cp1250": "windows-1250", "cp1253": "windows-1253",
    "cp1254": "windows-1254", "cp1255": "windows-1255", "cp1256": "windows-1256", "cp1257": "windows-1257",
    "koi8_r": "koi8-r", "cp866": "ibm866", "mac_roman": "macintosh", "cp932": "shift_jis", "gb18030": "gb18030",
    "big5": "big5", "cp949": "euc-kr",
}  # fmt: skip
USUAL = ("windows-1252", "windows-1251", "windows-1250", "windows-1254", "windows-1257")
EAST_ASIAN = frozenset({"shift_jis", "gb18030", "big5", "euc-kr"})
NOT_ASCII = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
# Of UTF-16 at least one place in this many is a zero, and of its zeros at most one in this many is in the other half.
SPARSE = 8
NAMED = 3  # encodings in a question
SHORTEST_WORD = 2  # letters


class Unreadable(ValueError):
    """The file cannot be read as it is; str() is one sentence that says what to do."""


def find(path: Path) -> str:
    """UTF-8 or UTF-16; older encodings cannot be distinguished by looking, so they must be named.

    On failure: Unreadable, with the likely encodings; OSError.
    """
    with path.open("rb") as file:
        start = file.read(SAMPLE)
        if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
            raise Unreadable("This is a spreadsheet or an archive. Save it as CSV, or unpack it first.")
        certain = next((encoding for mark, encoding in MARKS if start.startswith(mark)), "") or _wide(start)
        if certain:
            return _checked(file, certain)
        if _can_read(file, "utf-8"):
            return "utf-8"
        sample = _sample(file)
    raise Unreadable(f"The file is not written in UTF-8. {_readings(sample, _likely(sample))}")


def check(path: Path, *, encoding: str) -> str:
    """The encoding that somebody named, unless the file is not written in it, or plainly in another.

    On failure: Unreadable; OSError.
    """
    if not _is_known(encoding):
        raise Unreadable(f"There is no encoding named {encoding[:40]!r}. Try utf-8 or windows-1252.")
    with path.open("rb") as file:
        _checked(file, encoding)
        if codecs.lookup(encoding).name.startswith("utf"):
            return encoding
        sample = _sample(file)
        if sample and _can_read(file, "utf-8"):
            raise Unreadable("The file is written in UTF-8. Leave --encoding out.")
    words = NOT_ASCII.findall(sample)
    if len(words) > 1 and not any(_is_word(word, encoding) for word in words):
        better = [name for name in _likely(sample) if all(_is_word(word, name) for word in words)]
        if better:
            raise Unreadable(f"Read as {encoding}, the file has no words. {_readings(sample, better)}")
    return encoding


def _is_known(encoding: str) -> bool:
    """Whether Python has it, as an encoding of text: `zip` and `rot13` are none."""
    try:
        return "\0" not in encoding and "a".encode(encoding) != b""
    except (LookupError, UnicodeError):
        return False


def _checked(file: BinaryIO, encoding: str) -> str:
    if not _can_read(file, encoding):
        raise Unreadable(f"The file is not written in {encoding}. Try another encoding.")
    return encoding


def _can_read(file: BinaryIO, encoding: str) -> bool:
    """Whether all of the file is written in it."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _wide(start: bytes) -> str:
    """UTF-16 without a mark: its Latin letters and commas have a zero in every second place, and in no other."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * SPARSE < len(start) or min(even, odd) * SPARSE > max(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _sample(file: BinaryIO) -> bytes:
    """The first lines with anything beyond ASCII."""
    file.seek(0)
    sample = b""
    while len(sample) < SAMPLE and (line := file.readline(SAMPLE)):
        if not line.isascii():
            sample += line
    return sample


def _likely(sample: bytes) -> list[str]:
    """A few encodings in which the sample can be read, the likeliest first.

    Statistics know nothing of a single name, so they only divide those whose words look alike. Almost any
    two bytes are a word of Chinese, so those encodings come behind others of as many words.
    """
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(LEGACY), threshold=1.0)
    ranked = [LEGACY[match.encoding] for match in matches if match.encoding in LEGACY]
    readable = [name for name in dict.fromkeys([*USUAL, *ranked, *LEGACY.values()]) if _reads(sample, name)]
    words = NOT_ASCII.findall(sample)
    score = {name: sum(_is_word(word, name) for word in words) for name in readable}
    return sorted(readable, key=lambda name: (-score[name], name in EAST_ASIAN))[:NAMED]


def _readings(sample: bytes, names: Sequence[str]) -> str:
    """A sentence that names encodings, with a word by which a person can tell which is right."""
    words = [word for word in NOT_ASCII.findall(sample) if all(_reads(word, name) for name in names)]
    telling = max(words, key=lambda word: len({word.decode(name) for name in names}), default=b"")
    readings = [f"{name} (“{telling.decode(name)}”)" for name in names]
    return f"It looks like {' or '.join(readings)}. Name the right one, as in: --encoding {names[0]}."


def _reads(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeError:
        return False
    return True


def _is_word(word: bytes, encoding: str) -> bool:
    """Whether it reads as a word: letters of one script, a capital at its beginning only, some plain Latin ones."""
    text = word.decode(encoding, errors="replace")
    scripts = {unicodedata.name(character, "").split(" ")[0] for character in text}
    if (
        len(text) < 2
        or not text.isalpha()
        or len(scripts) != 1
        or text not in {text.title(), text.lower(), text.upper()}
    ):
        return False
    return "LATIN" not in scripts or 2 * sum(character.isascii() for character in text) >= len(text)
