"""Notices in the dialects of many servers, each at a copy's own return path, and what they must come out as.

`dialects.txt` holds them one after another, each under a line `=== what: who`. READER is the reader's
address, PATH the copy's return path. `what` is a verdict, `soft`, or another kind of report.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from postal.notifications import notices
from postal.notifications.reports import Kind
from postal.verdicts import Verdict

READER, PATH = "anna@readers.example", f"bounces+{'0' * 52}@bounces.blocknews.example"
TEXT = (Path(__file__).parent / "dialects.txt").read_text(encoding="utf-8")


def dialects() -> Iterator[tuple[str, str, bytes]]:
    for section in re.split(r"^=== ", TEXT, flags=re.MULTILINE)[1:]:
        title, _, mail = section.partition("\n")
        what, _, who = title.partition(": ")
        text = mail.strip("\n").replace("READER", READER).replace("PATH", PATH).replace("\n", "\r\n")
        yield what, who, text.encode()


DIALECTS = list(dialects())
OTHERS = {"delayed": Kind.DELAYED, "delivered": Kind.DELIVERED}


@pytest.mark.parametrize(("what", "raw"), [pytest.param(what, raw, id=f"{what} {who}") for what, who, raw in DIALECTS])
def test_a_dialect_is_understood(what: str, raw: bytes) -> None:
    notice = notices.read(raw, is_addressed=True)
    if what == "nothing":
        assert notice is None
        return
    assert notice is not None
    fate = notice.fate_of(lambda address: address.lower() == READER)
    if what in OTHERS:
        assert fate.kind is OTHERS[what]
        return
    assert fate.kind is Kind.FAILED
    verdict = fate.judgement.verdict
    assert verdict.is_soft if what == "soft" else verdict is Verdict[what.upper()]


@pytest.mark.parametrize(
    ("what", "raw"), [pytest.param(what, raw, id=who) for what, who, raw in DIALECTS if what == "gone"]
)
def test_the_reader_is_among_those_who_are_named(what: str, raw: bytes) -> None:
    """Or nobody is: then the return path says who it was."""
    notice = notices.read(raw, is_addressed=True)
    assert notice is not None
    named = [one.lower() for fate in notice.fates for one in fate.recipients]
    assert READER in named or not named


def test_nobody_is_named_twice() -> None:
    names = [who for _, who, _ in DIALECTS]
    assert len(names) == len(set(names))
