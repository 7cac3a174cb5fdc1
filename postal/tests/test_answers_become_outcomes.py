"""What a server's answer means: whose fault it was, its name for the copy, its words without addresses."""

import re

import pytest
from django.utils import translation
from django.utils.functional import Promise

from core.reasons import Catalogue
from postal import answers
from postal.replies import Reply
from postal.transports import smtp_outcomes
from postal.transports.base import Copy, Phase

ABOUT_READER = "5.2.2 5.7.2 5.7.13 5.7.17 5.7.18 5.7.124 5.7.129 5.7.133 5.7.134 5.7.135 5.7.136"
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
COPY = Copy(1, "uuid", "b@example.com", "r@example.com")


@pytest.mark.parametrize(
    "reply",
    [
        # Codes (RFC 4954, RFC 1870), whatever the words are.
        "530", "534", "535", "538", "552",
        # Enhanced codes outside of the policy class (RFC 3463).
        "550 5.1.7", "550 5.1.8", "550 5.2.3", "550 5.3.4",
        # The policy class, as far as it is known and beyond.
        "550 5.7.0", "550 5.7.1", "550 5.7.26", "550 5.7.509", "550 5.7.606", "550 5.7.649", "550 5.7.999",
        # Servers that send no enhanced code.
        "550 SPF check failed", "550 no DKIM signature", "550 DMARC policy", "550 see spamhaus.org",
        "550 on our blocklist", "550 on our block list", "550 on a blacklist", "550 on a black list",
        "550 relay access denied", "550 Relaying denied", "550 relay not permitted", "550 relaying access not given",
        "550 Authentication required", "550 you must authenticate", "550 no reverse DNS", "550 no PTR record",
    ],
)  # fmt: skip
def test_it_speaks_of_us(reply: str) -> None:
    code, _, text = reply.partition(" ")
    refused = smtp_outcomes.outcome(COPY, Reply(int(code), text), phase=Phase.RCPT)
    assert (refused.state, refused.about_us) == ("rejected", True)


@pytest.mark.parametrize(
    "reply",
    [
        "550", "550 5.1.1 unknown", "550 5.0.0 no", "551 5.1.6 moved", "554 5.4.4 unrouteable",
        # As some say it to those who write to nobody.
        "550 5.1.1 no such user; see our dkim and spf rules",
        # The reader's, though a code or a class beside it would be ours.
        *(f"552 {code} no" for code in ABOUT_READER.split()),
        # Words that only sound like ours.
        "550 the relayed reader is away",
    ],
)  # fmt: skip
def test_it_speaks_of_the_reader(reply: str) -> None:
    code, _, text = reply.partition(" ")
    refused = smtp_outcomes.outcome(COPY, Reply(int(code), text), phase=Phase.RCPT)
    assert (refused.state, refused.about_us) == ("rejected", False)


@pytest.mark.parametrize(
    "reply",
    ["550 5.1.1 <anna@x.example>: User unknown", "550 No such user", "550 5.5.0 mailbox unavailable", "553 5.1.3 no"],
)
@pytest.mark.parametrize("phase", [Phase.RCPT, Phase.DATA, Phase.FINAL])
def test_the_readers_mailbox_is_gone(reply: str, phase: Phase) -> None:
    code, _, text = reply.partition(" ")
    refused = smtp_outcomes.outcome(COPY, Reply(int(code), text), phase=phase)
    assert (refused.state, refused.about_us, refused.is_gone) == ("rejected", False, True)


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.1 rejected", "550 5.1.1 blocked, see our block list", "552 5.2.2 Mailbox full", "550 refused",
        "554 no", "550 5.1.1 relay access denied", "450 4.1.1 User unknown", "421 no such user",
        "550 mailbox temporarily unavailable",
    ],
)  # fmt: skip
def test_the_readers_mailbox_may_be_there(reply: str) -> None:
    code, _, text = reply.partition(" ")
    assert not smtp_outcomes.outcome(COPY, Reply(int(code), text), phase=Phase.RCPT).is_gone


def test_an_answer_to_mail_names_no_reader() -> None:
    refused = smtp_outcomes.outcome(COPY, Reply(550, "5.1.1 no such user"), phase=Phase.MAIL)
    assert (refused.about_us, refused.is_gone) == (True, False)


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.FINAL}))
def test_only_the_answer_to_the_end_accepts_a_copy(phase: Phase) -> None:
    assert smtp_outcomes.outcome(COPY, Reply(250, "ok"), phase=phase).state == "deferred"
    assert smtp_outcomes.lost(COPY, "gone", phase=phase).state == "deferred"


def test_what_was_lost_after_the_end_is_uncertain() -> None:
    assert smtp_outcomes.lost(COPY, "gone", phase=Phase.FINAL).state == "uncertain"


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ("2.0.0 Ok: queued as 4FbX2z1k", "4FbX2z1k"),
        ("OK id=1rAbcd-0001ab-Cd", "1rAbcd-0001ab-Cd"),
        ("Queued mail for delivery id 99887766", "99887766"),
        ("ok 1733 qp 12345", "12345"),
        ("Ok: queued as <4FbX2z1k.>", "4FbX2z1k"),
        ("thank you", ""),
    ],
)
def test_the_server_s_name_for_the_copy(reply: str, name: str) -> None:
    assert smtp_outcomes.outcome(COPY, Reply(250, reply), phase=Phase.FINAL).remote_id == name


def test_each_sentence_can_be_translated_and_each_code_has_one_without_parameters() -> None:
    for code, template in answers.SENTENCES.items():
        assert isinstance(template, Promise), code
        assert set(PLACEHOLDER.findall(str(template))) <= {"said", "error"}
    with translation.override("en"):
        for _, label in Catalogue(answers.Cause, sentences={}).choices():
            assert "%" not in label
            assert label.endswith(".")
