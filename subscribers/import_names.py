"""A reader's name as another system hands it over: is it one, and was it read in the right encoding?"""

from mailkit import message

LONGEST = 120  # characters, as the column holds
BAD = "The name has an invisible character in it or is longer than 120 characters."
LOST = "The name has a character that was lost in an earlier conversion. Write it again."
GARBLED = "The name was converted wrongly before; it should probably be “{name}”. Write it again."
# What UTF-8 was taken for, when Küste turned into KÃ¼ste.
MISTAKEN_FOR = ("cp1252", "cp1251")
MARKS = "\N{EN DASH}\N{EM DASH}\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}"


def fault(name: str) -> str:
    """A sentence that says what is wrong with this name; empty for one that can be kept."""
    if "\N{REPLACEMENT CHARACTER}" in name:
        return LOST
    if len(name) > LONGEST:
        return BAD
    # Before the check for hidden characters: a name that was garbled may have some.
    if meant := meant_by(name):
        return GARBLED.format(name=meant)
    try:
        message.check_header_text(name)
    except message.UnsafeHeaderText:
        return BAD
    return ""


def meant_by(name: str) -> str:
    """The name that was read in the wrong encoding once; empty if nothing speaks for that.

    A name that was not is as good as never UTF-8 by its bytes: each letter beyond ASCII would have to be
    followed by just the right symbols, and make a letter together with them.
    """
    if name.isascii():
        return ""
    for encoding in MISTAKEN_FOR:
        try:
            meant = _bytes(name, encoding).decode("utf-8")
        except UnicodeError:
            continue
        if all(character.isalpha() for character in meant if not character.isascii() and character not in MARKS):
            return meant
    return ""


def _bytes(name: str, encoding: str) -> bytes:
    """The bytes that became this name. On failure: UnicodeError."""
    try:
        return name.encode(encoding)
    except UnicodeError:
        return b"".join([_byte(character, encoding) for character in name])


def _byte(character: str, encoding: str) -> bytes:
    """The byte that became this character; a few mean nothing there and stay as they are. On failure: UnicodeError."""
    try:
        return character.encode(encoding)
    except UnicodeError:
        return character.encode("latin-1")
