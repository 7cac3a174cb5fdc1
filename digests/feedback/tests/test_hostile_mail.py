"""No mail makes the parser raise, hang or grow."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digests.feedback.tests import mails
from digests.models import Delivery
from postal.notifications import notices

pytestmark = pytest.mark.slow

COPY = Delivery()
SOUND = [mails.mail(name, COPY) for name in mails.NAMES]
PIECES = [
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
    b"Content-Type: message/delivery-status\r\n",
    b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: base64\r\n",
    b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Subject: unsubscribe-",
    b"From: MAILER-DAEMON@x.example\r\n",
    b"Final-Recipient: utf-8; \\x{110000}\\x{D800}@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
    b"Diagnostic-Code: =?utf-7?q?+?= =?x?b?!?=\r\n",
    b"<a@b.example>:\r\n",
    b"Hi. This is the qmail-send program\r\n\r\n",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"\r\n\r\n",
    b"\x00\xff\xed\xa0\x80",
]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(), st.lists(st.sampled_from(PIECES) | st.binary(max_size=20)).map(b"".join)))
def test_no_input_makes_it_raise(raw: bytes) -> None:
    notice = notices.read(raw)
    assert notice is None or isinstance(notice, notices.Notice)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SOUND), st.data())
def test_no_damage_to_a_sound_notice_makes_it_raise(raw: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 80)))
    notices.read(raw[:start] + data.draw(st.binary(max_size=30) | st.sampled_from(PIECES)) + raw[end:])


def multipart(depth: int) -> bytes:
    return b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(depth))


HOSTILE = {
    "deep": multipart(4_000),
    "deep mails": b"Content-Type: message/rfc822\r\n\r\n" * 8_000,
    "parts": b"Content-Type: multipart/report; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 30_000,
    "long type": b"Content-Type: multipart/report;" + b' a="\\";' * 40_000 + b"\r\n\r\n",
    "continued type": b"Content-Type: multipart/report;"
    + b"".join(b" b*%d=x;" % n for n in range(25_000))
    + b"\r\n\r\n",
    "headers": b"".join(b"H%d: x\r\n" % n for n in range(25_000)) + b"\r\n",
    "encoded words": b"From: MAILER-DAEMON@x\r\nSubject: " + b"=?utf-8?q?x?= " * 18_000 + b"\r\n\r\n",
    "addresses": b"From: " + b"<" * 100_000 + b"\r\n\r\n",
    "comments": b"From: " + b"(" * 100_000 + b"\r\n\r\n",
    "prose": b"From: MAILER-DAEMON@x\r\n\r\n" + b"<a@b.example>: " * 17_000,
    "qmail": b"From: MAILER-DAEMON@x\r\n\r\nHi. This is the\r\n\r\n" + b"<" * 200_000,
    "spaces": b"From: MAILER-DAEMON@x\r\n\r\n" + b" " * 250_000,
    "blocks": b"Content-Type: message/delivery-status\r\n\r\n" + b"\r\n" * 120_000,
    "blank lines": b"Content-Type: message/delivery-status\r\n\r\n" + b" \r\n" * 80_000,
    "mailboxes": b"From: MAILER-DAEMON@x\r\n\r\n" + b"copy of the " * 20_000,
    "message ids": b"From: MAILER-DAEMON@x\r\n\r\n" + b"\r\n\r\n Message-ID: <" * 15_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_mail_takes_long(name: str) -> None:
    """Five seconds on a busy machine; a quadratic reader would take minutes."""
    started = time.process_time()
    assert notices.read(HOSTILE[name]) is None
    assert time.process_time() - started < 5


def test_only_the_beginning_of_a_mail_is_looked_at() -> None:
    raw = mails.mail("postfix_gone", COPY)
    assert notices.read(raw + b"x" * 10_000_000) is not None
    assert notices.read(b"Subject: x\r\n" * 30_000 + raw) is None
