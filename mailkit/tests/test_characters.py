"""Control characters go out of every text: what separated words or lines still does."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit import characters

KEPT = {"\t", "\n"}


@pytest.mark.parametrize(
    ("typed", "line", "text"),
    [
        ("Word\x0bbreak", "Word break", "Word\nbreak"),
        ("Word \x0b break", "Word break", "Word \n break"),
        ("one\r\ntwo\rthree\nfour", "one two three four", "one\ntwo\nthree\nfour"),
        ("a\x0cb\x85c\u2028d\u2029e\x1cf\x1fg", "a b c d e f g", "a\nb\nc\nd\ne\nf\ng"),
        ("a\tb", "a b", "a\tb"),
        ("nul\x00 esc\x1b[31m bell\x07 del\x7f c1\x9b", "nul esc[31m bell del c1", "nul esc[31m bell del c1"),
        ("\ud800half\udfff", "half", "half"),
        ("x\ufffe\uffffy", "xy", "xy"),
        ("\nends\n", "ends", "\nends\n"),
        ("", "", ""),
        ("\x00", "", ""),
        ("  blanks  stay ", "  blanks  stay ", "  blanks  stay "),
        ("👩\u200d💻 क्\u200dष \u200fعربي\u2066x\u2069 a\u00adb", None, None),
    ],
)
def test_what_is_left(typed: str, line: str | None, text: str | None) -> None:
    assert characters.line(typed) == (typed if line is None else line)
    assert characters.text(typed) == (typed if text is None else text)


@given(st.text() | st.text(st.characters(categories=["Cc", "Zl", "Zp", "Cs", "Zs"])))
def test_nothing_that_harms_is_left_and_nothing_else_goes(typed: str) -> None:
    line, text = characters.line(typed), characters.text(typed)
    for cleaned, allowed in ((line, set()), (text, KEPT)):
        assert {c for c in cleaned if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"}} <= allowed
        cleaned.encode()
    wanted = [c for c in typed if unicodedata.category(c) not in {"Cc", "Zl", "Zp", "Cs"} and c not in " \ufffe\uffff"]
    assert [c for c in line if c != " "] == [c for c in text if c not in " \t\n"] == wanted
    assert (characters.line(line), characters.text(text)) == (line, text)
    assert len(line) <= len(typed) >= len(text)
