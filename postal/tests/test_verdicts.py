"""Whose fault a refusal is, judged over answers in the words of the servers that people's mail goes to."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postal import verdicts
from postal.verdicts import Verdict

# One per line: what it must come out as, and what the server wrote.
LINES = (Path(__file__).parent / "answers.txt").read_text(encoding="utf-8").splitlines()
ANSWERS = [tuple(line.split(" ", 1)) for line in LINES if line and not line.startswith("#")]


@pytest.mark.parametrize(("expected", "reply"), ANSWERS)
def test_an_answer_is_judged(expected: str, reply: str) -> None:
    judged = verdicts.judge(words=reply)
    if expected == "soft":
        assert judged.verdict.is_soft, judged
    else:
        assert judged.verdict is Verdict[expected.upper()], judged


def test_every_verdict_is_held_by_answers() -> None:
    held = {expected for expected, _ in ANSWERS}
    assert held == {"gone", "full", "ours", "unwanted", "soft", "unknown"}


@pytest.mark.parametrize(
    ("words", "status", "verdict"),
    [
        # The words of the reader's server are believed before the status that somebody made of them.
        ("550 5.7.1 Your address 192.0.2.77 is on our block list", "5.1.1", Verdict.OURS),
        ("552 5.2.2 Mailbox over quota", "5.1.1", Verdict.FULL),
        ("550 no such user", "4.4.7", Verdict.GONE),
        ("550 no such user", "5.7.1", Verdict.GONE),
        ("451 user unknown, try again", "5.1.1", Verdict.PASSING),
        ("452 later", "5.1.1", Verdict.PASSING),
        # Where the words and their codes say nothing, the status does.
        ("550 no", "5.1.1", Verdict.GONE),
        ("", "5.1.1", Verdict.GONE),
        ("", "5.2.2", Verdict.FULL),
        ("", "5.7.1", Verdict.OURS),
        ("", "4.4.7", Verdict.PASSING),
        ("", "", Verdict.UNKNOWN),
        ("no such user", "4.1.1", Verdict.PASSING),
    ],
)
def test_a_status_counts_where_the_words_say_nothing(words: str, status: str, verdict: Verdict) -> None:
    assert verdicts.judge(words=words, status=status).verdict is verdict


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "550 mailbox full", "554 no"])
def test_a_refusal_that_names_no_reader_is_about_us(reply: str) -> None:
    assert verdicts.judge(words=reply, names_reader=False).verdict is Verdict.OURS


@pytest.mark.parametrize(
    "reply",
    [
        "550 <blocked@example.org>: unknown user",
        "550 unknown user, says spam.filter.example.org",
        "550 no such user, see https://example.org/policy/blocked/spam",
        "550 User unknown [2001:db8::1]",
        "550 anna@example.org...User unknown",
    ],
)
def test_addresses_hosts_and_links_speak_of_nobody(reply: str) -> None:
    assert verdicts.judge(words=reply).verdict is Verdict.GONE


def test_a_verdict_says_what_it_rests_on() -> None:
    assert verdicts.judge(words="550 5.7.1 on our block list").evidence == "block list"
    assert verdicts.judge(words="550 5.1.3 no").evidence == "5.1.3"
    assert verdicts.judge(words="552").evidence == "552"


@given(st.text(max_size=300), st.text(max_size=10))
def test_no_text_makes_it_raise(words: str, status: str) -> None:
    verdicts.judge(words=words, status=status)


@settings(deadline=200)
@given(
    st.lists(
        st.sampled_from("user unknown mailbox not sender rejected 550 5.1.1 . , block list over".split()),
        max_size=3_000,
    )
)
def test_no_text_takes_long(words: list[str]) -> None:
    verdicts.judge(words=" ".join(words))
