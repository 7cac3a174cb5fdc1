"""What a mail's header may say.

Django refuses only CR and LF in headers. Five more control characters become a
raw newline inside `email.header`, which ends the header block early, so every
text that reaches a header passes `check_header_text`, no matter who wrote it.
"""

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
BIDI_CONTROLS = frozenset(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
# Embeddings (LRE, RLE) end with PDF, isolates (LRI, RLI, FSI) with PDI.
_CLOSED_BY = {"\u202a": "\u202c", "\u202b": "\u202c", "\u2066": "\u2069", "\u2067": "\u2069", "\u2068": "\u2069"}


class UnsafeHeaderText(ValueError):
    """The text would break, or disguise, the header that it is written into."""


def check_header_text(value: str) -> None:
    """Return if `value` is allowed in a mail header; otherwise raise UnsafeHeaderText.

    Refused: every control character (Cc), line and paragraph separators (Zl, Zp), lone surrogates (Cs),
    and of the controls that reorder text (U+202A-202E, U+2066-2069) the overrides, which turn words round,
    and those that are not closed within the text, or close nothing. A Latin name within an Arabic headline
    has them in pairs. The sentence names the character and its place, and never repeats the text.
    """
    if unsafe := _unsafe(value):
        raise UnsafeHeaderText(
            _(
                "Character %(place)s is invisible (%(code)s) and cannot be part of a mail's header. "
                "Delete it; if the text was pasted, type that spot again."
            )
            % {"place": unsafe[0] + 1, "code": f"U+{ord(value[unsafe[0]]):04X}"}
        )


def without_unsafe(value: str) -> str:
    """The text without the characters that `check_header_text` refuses, for a line that nobody typed as one."""
    unsafe = set(_unsafe(value))
    return "".join(character for index, character in enumerate(value) if index not in unsafe)


def validate_header_text(value: str) -> None:
    """`check_header_text` as a model or form validator: raises ValidationError instead."""
    try:
        check_header_text(value)
    except UnsafeHeaderText as error:
        raise ValidationError(str(error), code="unsafe_header_text") from error


def _unsafe(value: str) -> list[int]:
    """The positions of the characters that are refused."""
    # Whatever is refused is not printable; a few spaces and joiners are not, either.
    if value.isprintable():
        return []
    forbidden = [
        index for index, character in enumerate(value) if unicodedata.category(character) in FORBIDDEN_CATEGORIES
    ]
    return sorted(forbidden + _unpaired(value))


def _unpaired(value: str) -> list[int]:
    """The positions of controls of direction that would reach beyond the text, or beyond their place in it."""
    unopened: list[int] = []
    unclosed: list[tuple[int, str]] = []
    for index, character in enumerate(value):
        if character in _CLOSED_BY:
            unclosed.append((index, _CLOSED_BY[character]))
        elif character in BIDI_CONTROLS:
            if unclosed and unclosed[-1][1] == character:
                unclosed.pop()
            else:
                unopened.append(index)
    return unopened + [index for index, _ in unclosed]
