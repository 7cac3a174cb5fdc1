"""What is read in one answer of a server: its code, and its words without addresses."""

import pytest

from postal import replies
from postal.replies import Reply


@pytest.mark.parametrize("text", ["5.1.1x Nobody", "no 5.1.1 Nobody", "55.1.1 no"])
def test_an_enhanced_code_is_alone_and_first(text: str) -> None:
    assert (Reply(550, text).enhanced, Reply(550, text).label) == ("", "550")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<anna@readers.example>: no", "<(address)>: no"),
        ('to "anna b"@readers.example, no', "to (address) no"),
        ("one\r\ntwo\x00\u202ethree", "one two three"),
        ("x" * 300, "x" * 200),
    ],
)
def test_words_are_one_printable_line_without_an_address(text: str, cleaned: str) -> None:
    assert replies.clean(text) == cleaned
