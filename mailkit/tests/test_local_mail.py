"""Local mail: whole files, one per copy, byte for byte, in the order of arrival."""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection
from pytest_django import Settings

from mailkit import local_mail, message

RAW = b"Subject: =?utf-8?b?w6Q=?=\r\nTo: reader@example.com\r\n\r\n.Body\r\n\xff\r\n"


def put(now: datetime, *, recipient: str = "reader@example.com", raw: bytes = RAW) -> Path:
    return local_mail.write(raw, envelope_from="bounce@example.com", recipient=recipient, now=now)


@pytest.mark.usefixtures("mailbox")
def test_a_mail_comes_back_byte_for_byte(now: datetime) -> None:
    path = put(now)
    mail = local_mail.read(path.name)
    assert mail.raw == RAW
    assert (mail.envelope_from, mail.recipient, mail.received_at) == ("bounce@example.com", "reader@example.com", now)
    assert mail.subject == "ä"


@pytest.mark.usefixtures("mailbox")
def test_an_empty_envelope_sender_is_possible(now: datetime) -> None:
    name = local_mail.write(RAW, envelope_from="", recipient="a@example.com", now=now).name
    assert local_mail.read(name).envelope_from == ""


def test_a_file_is_a_mail_that_any_program_opens(now: datetime, mailbox: Path) -> None:
    put(now)
    [path] = mailbox.iterdir()
    assert path.suffix == ".eml"
    assert path.read_bytes() == b"Return-Path: <bounce@example.com>\r\nDelivered-To: reader@example.com\r\n" + RAW
    assert "reader" not in path.name


@pytest.mark.usefixtures("mailbox")
def test_in_the_order_of_arrival(now: datetime) -> None:
    for minutes in (2, 0, 1):
        put(now + timedelta(minutes=minutes), recipient=f"reader{minutes}@example.com")
    assert [mail.recipient[6] for mail in local_mail.read_all()] == ["0", "1", "2"]
    assert [mail.recipient for mail in local_mail.read_all(recipient="READER1")] == ["reader1@example.com"]


@pytest.mark.usefixtures("mailbox")
def test_many_writers_at_one_instant_lose_nothing(now: datetime) -> None:
    threads = [threading.Thread(target=lambda: [put(now) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(local_mail.read_all()) == 160


def test_a_copy_that_was_not_finished_is_no_mail(now: datetime, mailbox: Path) -> None:
    put(now)
    whole = next(mailbox.iterdir())
    whole.with_suffix(".part").write_bytes(b"half a ma")
    (mailbox / "notes.txt").write_text("x")
    assert [mail.raw for mail in local_mail.read_all()] == [RAW]


def test_a_full_disk_leaves_no_half_mail(now: datetime, mailbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(self: Path, _data: bytes) -> int:
        with self.open("wb") as file:
            file.write(b"ha")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space"):
        put(now)
    assert local_mail.read_all() == []
    assert list(mailbox.glob("*.eml")) == []


@pytest.mark.usefixtures("mailbox")
@pytest.mark.parametrize(
    "name",
    ["", "..", "../x.eml", "x.eml", "20250506T093000.000000Z-" + "0" * 32 + ".eml", "a/20250506T093000.000000Z-.eml"],
)
def test_other_names_are_no_mails(now: datetime, name: str) -> None:
    put(now)
    with pytest.raises(local_mail.NoSuchMail):
        local_mail.read(name)


def test_an_empty_mailbox(mailbox: Path) -> None:
    assert not mailbox.exists()
    assert local_mail.read_all() == []


@pytest.mark.usefixtures("mailbox")
def test_an_envelope_cannot_bring_header_lines(now: datetime) -> None:
    with pytest.raises(message.UnsafeHeaderText):
        put(now, recipient="a@example.com\r\nX-Evil: 1")


@pytest.mark.usefixtures("mailbox")
def test_django_sends_each_recipient_a_copy(settings: Settings) -> None:
    mail = EmailMessage(
        "Ünterschied", "Text\n.dot\n", "News <news@example.com>", ["a@example.com"], cc=["b@example.com"]
    )
    connection = get_connection("mailkit.local_mail.LocalBackend")
    assert connection.send_messages([mail, EmailMessage("x", "y", "news@example.com", [])]) == 1
    mails = local_mail.read_all()
    assert sorted(mail.recipient for mail in mails) == ["a@example.com", "b@example.com"]
    for copy in mails:
        assert copy.subject == "Ünterschied"
        assert copy.text == "Text\n.dot\n"
        assert copy.envelope_from == "news@example.com"
        assert b"\r\n" in copy.raw
        assert b"\n" not in copy.raw.replace(b"\r\n", b"")
    assert datetime.now(UTC) - mails[0].received_at < timedelta(minutes=1)
