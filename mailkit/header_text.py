"""What a mail's header may say.

Django refuses only CR and LF in headers. Five more control characters become a
raw newline inside `email.header`, which ends the header block early, so every
text that reaches a header passes `check_header_text`, whoever wrote it.
"""

import unicodedata

from django.core.exceptions import ValidationError

FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
BIDI_CONTROLS = frozenset(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))


class UnsafeHeaderText(ValueError):
    """The text would break, or disguise, the header that it is written into."""


def check_header_text(value: str) -> None:
    """Return when `value` may stand in a mail header; otherwise raise UnsafeHeaderText.

    Refused: every control character (Cc), line and paragraph separators (Zl, Zp),
    lone surrogates (Cs) and the controls that reorder text (U+202A-202E, U+2066-2069).
    The sentence names the character and its place, and never repeats the text.
    """
    for position, character in enumerate(value, start=1):
        if _is_unsafe(character):
            raise UnsafeHeaderText(
                f"Character {position} is invisible (U+{ord(character):04X}) and cannot be part of a mail's header. "
                "Delete it; if the text was pasted, type that spot again."
            )


def without_unsafe(value: str) -> str:
    """The text without the characters that `check_header_text` refuses, for a line that nobody typed as one."""
    return "".join(character for character in value if not _is_unsafe(character))


def validate_header_text(value: str) -> None:
    """`check_header_text` as a model or form validator: raises ValidationError instead."""
    try:
        check_header_text(value)
    except UnsafeHeaderText as error:
        raise ValidationError(str(error), code="unsafe_header_text") from error


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in FORBIDDEN_CATEGORIES or character in BIDI_CONTROLS
