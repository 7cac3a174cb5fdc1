"""No character that breaks a header, or disguises it, reaches one."""

import sys
import unicodedata

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from mailkit import message

CONTROLS = [chr(number) for number in [*range(0x20), *range(0x7F, 0xA0)]]
# Measured: Django lets these five through, and email.header turns them into line breaks.
FIVE = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
BIDI = ["\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"]
SEPARATORS = ["\u2028", "\u2029"]
SURROGATES = [chr(0xD800), chr(0xDFFF)]


def test_the_list_is_the_one_that_the_standard_gives() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    assert [character for character in every if unicodedata.category(character) == "Cc"] == CONTROLS
    assert set(FIVE) < set(CONTROLS)
    assert {"\r", "\n", "\t", "\0", "\x7f", "\x85"} < set(CONTROLS)


@pytest.mark.parametrize("character", [*CONTROLS, *SEPARATORS, *BIDI, *SURROGATES], ids=lambda c: f"U+{ord(c):04X}")
def test_each_is_refused_wherever_it_stands(character: str) -> None:
    for text in (
        character,
        f"{character}Headline",
        f"Head{character}line",
        f"Headline{character}",
        f"A{character}Bcc: x",
    ):
        with pytest.raises(message.UnsafeHeaderText) as caught:
            message.check_header_text(text)
        assert f"U+{ord(character):04X}" in str(caught.value)
        assert "line" not in str(caught.value)


def test_as_a_validator() -> None:
    message.validate_header_text("A headline")
    with pytest.raises(ValidationError, match="Character 5 is invisible"):
        message.validate_header_text("Head\x0bline")


@pytest.mark.parametrize(
    "text",
    [
        "", "Binance Co-Founder CZ Backs Kyrgyzstan’s Reserve", "Кыргызстан", "العربية \u200f(1)", "日本語",
        "👩\u200d💻", "A\u00a0B", "“x” – y…", "%%name%%", "a: b", "=?utf-8?q?x?=",
    ],
)  # fmt: skip
def test_what_headlines_have_passes(text: str) -> None:
    message.check_header_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "أخبار \u2066Bitcoin\u2069 اليوم", "\u202bأخبار\u202c News", "\u2067a \u2068b\u2069 c\u2069",
        "\u202a\u2066a\u2069\u202c",
    ],
)  # fmt: skip
def test_controls_of_direction_in_pairs_pass(text: str) -> None:
    message.check_header_text(text)
    assert message.without_unsafe(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\u2066b", "ab"),
        ("a\u2069b", "ab"),
        ("\u2066a\u202c", "a"),
        ("\u202a\u2066a\u202c\u2069", "\u2066a\u2069"),
        ("\u202egpj\u202c.exe", "gpj.exe"),
        ("\u202dabc\u202c", "abc"),
    ],
)
def test_others_do_not_and_may_be_left_out(text: str, left: str) -> None:
    with pytest.raises(message.UnsafeHeaderText):
        message.check_header_text(text)
    assert message.without_unsafe(text) == left
    message.check_header_text(left)


@given(st.text())
def test_passes_exactly_when_no_listed_character_is_in_it(text: str) -> None:
    text = "".join(character for character in text if character not in BIDI)
    forbidden = {*CONTROLS, *SEPARATORS}
    unsafe = any(character in forbidden or unicodedata.category(character) == "Cs" for character in text)
    if unsafe:
        with pytest.raises(message.UnsafeHeaderText):
            message.check_header_text(text)
    else:
        message.check_header_text(text)
