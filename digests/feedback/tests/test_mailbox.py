"""The reader of the mailbox: what is deleted when, and that nothing in a mail or a server stops it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connections

from core import locks
from digests import heartbeat
from digests.feedback import events, mailbox
from digests.feedback.tests import mails
from digests.models import Delivery, DeliveryEvent, Reply
from postal import config, imap
from postal.notifications import notices
from tests.faults import certificates, mailbox_server
from tests.table import rows

pytestmark = pytest.mark.django_db


def account(port: int, **changes: Any) -> config.Mailbox:
    return replace(config.Mailbox("127.0.0.1", port, mailbox_server.USER, mailbox_server.PASSWORD), **changes)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.for_localhost(tmp_path_factory.mktemp("tls"))


def test_what_was_acted_on_is_deleted(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running([mails.mail("postfix_gone", copy), mails.mail("yahoo_arf", copy)]) as server:
        result = mailbox.read(account=account(server.port), now=now)
    assert (result.events, result.repeated, result.ignored) == (2, 0, 0)
    assert server.mails == []
    assert {event.kind for event in DeliveryEvent.objects.all()} == {"hard_bounce", "complaint"}


def test_what_is_nothing_of_ours_is_left_to_people(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running([mails.mail("ignored_vacation", copy)]) as server:
        assert mailbox.read(account=account(server.port), now=now).ignored == 1
        assert mailbox.read(account=account(server.port), now=now) == mailbox.Pass()
    assert [mail.flags for mail in server.mails] == [{"NewsroomSeen"}]


def test_an_answer_stays_in_a_mailbox_that_people_read_too(
    copy: Delivery, now: datetime, settings: LazySettings
) -> None:
    for domain, left in (("", [{"NewsroomSeen"}]), ("bounces.blocknews.example", [])):
        settings.RETURN_DOMAIN = domain
        # The second time it is read again by a pass after one that died.
        for _pass in range(2):
            with mailbox_server.running([mails.mail("ignored_reply", copy)]) as server:
                assert mailbox.read(account=account(server.port), now=now).replied == 1
            assert [mail.flags for mail in server.mails] == left
    assert Reply.objects.count() == 1


def test_a_server_without_keywords_has_it_marked_as_read(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running([mails.mail("ignored_reply", copy)], keywords=False) as server:
        mailbox.read(account=account(server.port), now=now)
        assert mailbox.read(account=account(server.port), now=now) == mailbox.Pass()
    assert [mail.flags for mail in server.mails] == [{"\\Seen"}]


def test_no_mail_is_deleted_before_its_event_is_committed(
    copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(events, "store", away)
    with mailbox_server.running([mails.mail("postfix_gone", copy)]) as server:
        with pytest.raises(OperationalError):
            mailbox.read(account=account(server.port), now=now)
        monkeypatch.undo()
        time.sleep(0.1)
        assert [mail.flags for mail in server.mails] == [set()]
        assert not any(command.startswith("UID STORE") for command in server.commands)

        assert mailbox.read(account=account(server.port), now=now).events == 1
    assert server.mails == []


@rows("command", ["UID STORE", "UID EXPUNGE"])
def test_a_line_that_breaks_before_the_deletion_makes_no_second_event(
    copy: Delivery, now: datetime, command: str
) -> None:
    raw = [mails.mail("postfix_gone", copy)]
    with mailbox_server.running(raw, {command: "drop"}) as server:
        with pytest.raises(mailbox.MailboxAway):
            mailbox.read(account=account(server.port), now=now)
        server.faults.clear()
        mailbox.read(account=account(server.port), now=now)
    assert DeliveryEvent.objects.count() == 1


def hostile(copy: Delivery) -> list[bytes]:
    """Mails that would stop a careless reader, before one that counts."""
    line = b"Subject: x\r\n\r\n" + b"y" * 300_000 + b"\r\n.\r\n..\r\n" + b"z" * 70_000 + b".\r\n"
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3_000))
    large = mails.mail("postfix_delayed", copy) + b"x" * 76 + (b"\r\n" + b"x" * 76) * 120_000
    return [b"", b"\x00\xff\r\n", line, nested, large, b"Subject: \x00\r\n\r\n", mails.mail("postfix_gone", copy)]


def test_no_mail_stops_the_next(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running(hostile(copy)) as server:
        result = mailbox.read(account=account(server.port), now=now)
    assert (result.events, result.ignored) == (2, 5)
    assert {event.kind for event in DeliveryEvent.objects.all()} == {"hard_bounce", "soft_bounce"}
    assert len(server.mails) == 5


def test_a_fault_of_our_own_stops_no_other_mail(copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    real = notices.read

    def stumble(raw: bytes, *, is_addressed: bool) -> notices.Notice | None:
        if b"stumble" in raw:
            raise ZeroDivisionError
        return real(raw, is_addressed=is_addressed)

    monkeypatch.setattr(notices, "read", stumble)
    raw = [b"Subject: stumble\r\n\r\n", mails.mail("postfix_gone", copy)]
    with mailbox_server.running(raw) as server:
        assert mailbox.read(account=account(server.port), now=now).events == 1
    assert len(server.mails) == 1


def test_one_pass_reads_a_limited_number_of_mails(copy: Delivery, now: datetime) -> None:
    raw = [mails.mail(name, copy) for name in ("postfix_delayed", "postfix_gone", "yahoo_arf")]
    with mailbox_server.running(raw) as server:
        assert mailbox.read(account=account(server.port), now=now, limit=2).events == 2
    assert len(server.mails) == 1


@rows("fault", ["drop", "drip"])
@rows("command", ["GREETING", "LOGIN", "UID FETCH"])
def test_a_server_that_stops_answering_ends_the_pass(
    copy: Delivery, now: datetime, fault: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that sends byte by byte never triggers a socket timeout; greeting and pass have their own deadline."""
    monkeypatch.setattr(imap, "CONNECT_SECONDS", 1)
    started = time.monotonic()
    raw = [mails.mail("postfix_gone", copy)]
    with (
        mailbox_server.running(raw, {command: fault}) as server,
        pytest.raises(mailbox.MailboxAway),
    ):
        mailbox.read(account=account(server.port), now=now, seconds=1)
    assert time.monotonic() - started < 20
    for thread in threading.enumerate():
        if thread.name == imap.CONNECTING:
            thread.join(20)


def test_a_wrong_password_is_said_in_a_sentence_without_it(now: datetime) -> None:
    with (
        mailbox_server.running([]) as server,
        pytest.raises(mailbox.MailboxAway, match="refuses the user and password") as caught,
    ):
        mailbox.read(account=account(server.port, password="wrong-one"), now=now)
    assert "wrong-one" not in str(caught.value)


def test_a_folder_that_is_not_there_is_said(now: datetime) -> None:
    with mailbox_server.running([]) as server, pytest.raises(mailbox.MailboxAway, match="no such folder"):
        mailbox.read(account=account(server.port, folder="Elsewhere"), now=now)


def test_nobody_at_the_port_is_said(now: datetime) -> None:
    with pytest.raises(mailbox.MailboxAway):
        mailbox.read(account=account(1), now=now)


@rows("tls", ["starttls", "implicit"])
def test_the_mailbox_is_read_encrypted(
    copy: Delivery, now: datetime, tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"certificate": certificate, "implicit_tls": tls == "implicit"}
    with mailbox_server.running([mails.mail("postfix_gone", copy)], **options) as server:
        where = account(server.port, host="localhost", tls=tls)
        with pytest.raises(mailbox.MailboxAway, match="certificate"):
            mailbox.read(account=where, now=now)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert mailbox.read(account=where, now=now).events == 1


@pytest.fixture
def somebody_else() -> Iterator[None]:
    """Another process is reading, with its own connection."""
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute(locks.UNTIL_DISCONNECT, [locks.key(mailbox.MAILBOX_LOCK)])
    yield
    other.close()


@pytest.mark.usefixtures("somebody_else")
def test_one_reads_at_a_time_and_the_other_does_not_say_that_it_did(now: datetime) -> None:
    with mailbox_server.running([b"Subject: x\r\n\r\n"]) as server:
        assert mailbox.read(account=account(server.port), now=now).busy
    assert server.commands == []
    assert heartbeat.age(work="returns", now=now) is None


def test_a_mailbox_that_is_away_stops_no_tick(now: datetime, settings: Any) -> None:
    settings.RETURNS = account(1)
    assert mailbox.read_configured(now=now) == mailbox.Pass()
