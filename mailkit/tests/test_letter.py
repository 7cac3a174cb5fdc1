"""A letter is two readable parts, one recipient, and headers that nobody can add to."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.core import mail
from django.template import TemplateDoesNotExist

from mailkit import message, mjml

CONTEXT = {
    "title": "Welcome",
    "name": "Tom & Ann <Reader>",
    "text": "It's yours — Кыргызстан.",
    "url": "https://x.test/?a=1&b=2",
}


def build(sender: message.Sender, **changes: Any) -> EmailMessage:
    arguments: dict[str, Any] = {
        "name": "greeting",
        "context": CONTEXT,
        "to": "reader@example.com",
        "sender": sender,
        "headers": {"List-Help": "<https://x.test/help>"},
        "message_id": "<1.2.letter@example.com>",
    }
    letter = message.letter(**(arguments | changes))
    parsed = message_from_bytes(letter.message().as_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("words", [1, 300])
def test_both_parts_are_utf8_and_survive_any_server(sender: message.Sender, words: int) -> None:
    parsed = build(sender, context={**CONTEXT, "text": "Кыргызстан " * words})
    assert parsed.get_content_type() == "multipart/alternative"
    parts = list(parsed.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    for part in parts:
        assert part.get_content_charset() == "utf-8"
        assert part["Content-Transfer-Encoding"] == "quoted-printable"
        assert "Кыргызстан" in part.get_content()
    raw = parsed.as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 998


@pytest.mark.usefixtures("letters")
def test_text_is_not_escaped_and_html_is(sender: message.Sender) -> None:
    text, html = (part.get_content() for part in build(sender).iter_parts())
    assert "Dear Tom & Ann <Reader>,\n\nIt's yours" in text
    assert "https://x.test/?a=1&b=2" in text
    assert "Dear Tom &amp; Ann &lt;Reader&gt;" in html
    assert 'href="https://x.test/?a=1&amp;b=2"' in html


@pytest.mark.usefixtures("letters")
def test_headers(sender: message.Sender) -> None:
    parsed = build(sender)
    assert parsed["Subject"] == "Welcome"
    assert parsed["To"] == "reader@example.com"
    assert [(a.display_name, a.addr_spec) for a in parsed["From"].addresses] == [
        ("Block News, International", "news@example.com")
    ]
    assert parsed["Reply-To"] == "desk@example.com"
    assert parsed["Message-ID"] == "<1.2.letter@example.com>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["List-Help"] == "<https://x.test/help>"
    assert parsedate_to_datetime(parsed["Date"]).year >= 2025
    assert parsed["Cc"] is None
    assert parsed["Bcc"] is None


@pytest.mark.usefixtures("letters")
def test_without_a_reply_to(sender: message.Sender) -> None:
    assert build(message.Sender(name="", address=sender.address))["Reply-To"] is None


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("name", ["Кыргызстан News", 'The "Daily"', "News <x@evil.test>", "A, B; C", "=?utf-8?q?x?="])
def test_any_name_is_one_sender(name: str) -> None:
    parsed = build(message.Sender(name=name, address="news@example.com"))
    assert [address.addr_spec for address in parsed["From"].addresses] == ["news@example.com"]


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    "title", ["Head\x0bline", "Head\nBcc: x@evil.test", "Head\u2028line", "Head\u202eline", "A\x1cB: c"]
)
def test_a_subject_with_a_control_character_is_refused(sender: message.Sender, title: str) -> None:
    with pytest.raises(message.UnsafeHeaderText):
        build(sender, context={**CONTEXT, "title": title})


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    "headers",
    [
        {"To": "x@evil.test"}, {"cc": "x@evil.test"}, {"Bcc": "x@evil.test"}, {"From": "x"}, {"Subject": "x"},
        {"Message-ID": "<x>"}, {"Auto-Submitted": "no"}, {"Content-Type": "text/html"}, {"Return-Path": "x"},
        {"X-A": "a\r\nBcc: x"}, {"X-A": "a\x0bb"}, {"X A": "b"}, {"X-A:": "b"}, {"": "b"}, {"X-Ä": "b"}, {"X\nA": "b"},
    ],
)  # fmt: skip
def test_headers_of_the_letter_itself_cannot_be_given(sender: message.Sender, headers: dict[str, str]) -> None:
    with pytest.raises(message.UnsafeHeaderText):
        build(sender, headers=headers)


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    "address",
    [
        "a@example.com, b@example.com", "a@example.com;b@example.com", "A <a@example.com>", "a@example.com\nBcc: b",
        "nobody", "a b@example.com", "группа@example.com", "a@пример.test", "group: a@example.com;",
        '"a b"@example.com',
    ],
)  # fmt: skip
def test_exactly_one_plain_recipient_and_sender(sender: message.Sender, address: str) -> None:
    with pytest.raises(message.UnsafeHeaderText) as caught:
        build(sender, to=address)
    assert address not in str(caught.value)
    with pytest.raises(message.UnsafeHeaderText):
        build(message.Sender(name="", address=address))
    with pytest.raises(message.UnsafeHeaderText):
        build(message.Sender(name="", address="a@example.com", reply_to=address))


@pytest.mark.usefixtures("letters")
def test_an_unsafe_message_id_or_name_is_refused(sender: message.Sender) -> None:
    with pytest.raises(message.UnsafeHeaderText):
        build(sender, message_id="<a@example.com>\r\nBcc: x@evil.test")
    with pytest.raises(message.UnsafeHeaderText):
        build(message.Sender(name="News\x0c", address="news@example.com"))


def test_broken_and_unknown_letters(sender: message.Sender, letters: dict[str, str]) -> None:
    with pytest.raises(TemplateDoesNotExist):
        build(sender, name="unknown")
    letters["letters/greeting/body.mjml"] = "<mjml>"
    with pytest.raises(mjml.MjmlError):
        build(sender)


@pytest.mark.usefixtures("letters")
def test_building_sends_nothing_and_sending_sends_one(sender: message.Sender) -> None:
    letter = message.letter(
        name="greeting",
        context=CONTEXT,
        to="reader@example.com",
        sender=sender,
        headers={},
        message_id="<1@example.com>",
    )
    assert mail.outbox == []
    assert letter.send() == 1
    assert mail.outbox[0].recipients() == ["reader@example.com"]
