"""Which of a notice's words count: the telling code, what is said of the address itself, and whose address it is."""

import pytest

from digests.feedback.tests import mails
from digests.models import Delivery
from postal.notifications import notices
from postal.notifications.notices import Notice
from postal.notifications.reports import Fate, Kind
from postal.verdicts import Verdict


def read(raw: bytes) -> Notice:
    notice = notices.read(raw)
    assert notice is not None
    return notice


def changed(name: str, *changes: tuple[str, str]) -> Notice:
    """What is read in one of the corpus, with some of its words changed."""
    raw = mails.mail(name, Delivery())
    for old, new in changes:
        assert old.encode() in raw
        raw = raw.replace(old.encode(), new.replace("\n", "\r\n").encode())
    return read(raw)


def fate(name: str, *changes: tuple[str, str]) -> Fate:
    (only,) = changed(name, *changes).fates
    return only


DIAGNOSIS = "smtp; 550 5.7.1 Service unavailable; client host blocked"


@pytest.mark.parametrize(
    ("status", "diagnosis", "verdict"),
    [
        # The reader's server is believed before the relay that reports, and its words before its codes.
        ("5.0.0", "smtp; 550 5.1.1 rejected", Verdict.GONE),
        ("5.1.1", "smtp; 550 5.7.1 rejected", Verdict.OURS),
        ("5.1.1", "smtp; 550 your address is on our block list", Verdict.OURS),
        ("5.1.1", "smtp; 552 mailbox over quota", Verdict.FULL),
        ("5.1.1", "smtp; 451 no such user, try again later", Verdict.PASSING),
        ("4.4.7", "smtp; 550 no such user", Verdict.GONE),
        ("5.7.1", "smtp; 550 no such user", Verdict.GONE),
        # Where it says nothing, the relay's word counts.
        ("5.1.1", "smtp; 550 no", Verdict.GONE),
        ("5.1.1 (no such user)", "", Verdict.GONE),
        ("no", "smtp; no", Verdict.UNKNOWN),
        ("15.1.10", "smtp;", Verdict.UNKNOWN),
    ],
)
def test_the_readers_server_is_believed_before_the_relay(status: str, diagnosis: str, verdict: Verdict) -> None:
    changes = ("Status: 5.0.0", f"Status: {status}"), (f"Diagnostic-Code: {DIAGNOSIS}", f"Diagnostic-Code: {diagnosis}")
    assert fate("postfix_generic_but_coded", *changes).judgement.verdict is verdict


def test_of_a_notice_in_prose_only_what_it_says_of_the_address_counts() -> None:
    """Neither its long beginning nor the mail that it returns, in which anything may stand."""
    reason, begins = "Sorry, no mailbox here by that name. (#5.1.1)", "I'm afraid I wasn't able"
    outcome = fate(
        "qmail",
        (begins, "Blah 5.7.1. \n" * 100 + begins),
        (reason, "Not now, it has no room. (#5.2.2)"),
        ("Subject: What happened", "Subject: No such user, 5.1.1"),
        ("The first story.", "There is no such user, 5.1.1, in our first story."),
    )
    assert outcome.words.startswith("anna@readers.example>: Not now, it has no room. (#5.2.2)")
    assert "5.7.1" not in outcome.words
    assert "5.1.1" not in outcome.words
    assert outcome.judgement.verdict is Verdict.FULL


WARNING = """From: Mail Delivery System <Mailer-Daemon@exim.example>
To: {path}
Date: Tue, 6 May 2025 11:20:04 +0200
Message-ID: <notice-50@exim.example>

A message that you sent has been on its way for more than 24 hours.
The address to which the message has not yet been delivered is:

  anna@readers.example

No action is required on your part.
"""


def test_a_warning_in_prose_is_no_bounce() -> None:
    path = mails.return_path(Delivery())
    assert read(WARNING.format(path=path).replace("\n", "\r\n").encode()).kind is Kind.DELAYED


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("utf-8; m\\x{FC}ller@readers.example", "müller@readers.example"),
        ("utf-8; \\x{1F600}@readers.example", "😀@readers.example"),
        ("utf-8; a\\x{FFFFFF}b@readers.example", "ab@readers.example"),
        ("rfc822; <anna@readers.example>", "anna@readers.example"),
        ("anna@readers.example", "anna@readers.example"),
        ("rfc822;", ""),
    ],
)
def test_an_address_may_be_written_in_letters_or_their_numbers(written: str, address: str) -> None:
    lines = ("Final-Recipient: rfc822; anna@readers.example", f"Final-Recipient: {written}")
    without = ("Original-Recipient: rfc822;anna@readers.example\r\n", "")
    assert fate("postfix_gone", lines, without).recipients == ((address,) if address else ())


def test_a_report_inside_a_mail_that_was_forwarded_is_nobodys_report() -> None:
    """What a person sends on is theirs to say, and no notice of a server."""
    inner = mails.mail("postfix_gone", Delivery())
    outer = b"From: A Reader <anna@readers.example>\r\nContent-Type: message/rfc822\r\n\r\n" + inner
    assert notices.read(outer) is None


def test_long_prose_is_looked_at_in_its_beginning_only() -> None:
    """The readers of prose are many, and some take their time."""
    begins = ("Hi. This is the qmail-send", "x" * 76 + "\n")
    assert changed("qmail", (begins[0], begins[1] * 300 + begins[0])).kind is Kind.FAILED
    with pytest.raises(AssertionError, match="None"):
        changed("qmail", (begins[0], begins[1] * 500 + begins[0]))


def test_headers_and_parts_beyond_any_measure_are_not_kept() -> None:
    notice = changed("postfix_gone", ("Subject: Undelivered", f"X-Long: {'x' * 5_000}\nSubject: Undelivered"))
    assert max(map(len, notice.traces[0].split("\n"))) == 4_000

    part = "--part1_13d\n\n\n"
    report = "--part1_13d\nContent-Type: message/feedback-report"
    assert changed("yahoo_arf", (report.replace("\n", "\r\n"), part * 50 + report)).kind is Kind.COMPLAINT
    with pytest.raises(AssertionError, match="None"):
        changed("yahoo_arf", (report.replace("\n", "\r\n"), part * 70 + report))
