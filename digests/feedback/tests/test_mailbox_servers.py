"""What servers do with a mailbox, and other people beside us: no mail is lost, marked or read for nothing."""

import socket
import ssl
import threading
import time
from datetime import datetime
from typing import Any

import pytest

from digests.feedback import mailbox
from digests.feedback.tests import mails
from digests.feedback.tests.test_mailbox import account
from digests.models import Delivery, DeliveryEvent
from postal import imap
from postal.notifications import notices
from tests.faults import mailbox_server
from tests.table import rows

pytestmark = pytest.mark.django_db


def opened(server: mailbox_server.Server) -> imap.ImapBox:
    """An open mailbox without the pass around it."""
    box = imap.ImapBox(account(server.port), ssl.create_default_context())
    box.open()
    return box


# --- Time ------------------------------------------------------------------------------------


def test_a_server_may_take_longer_to_answer_than_to_be_reached(
    copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "CONNECT_SECONDS", 0.3)
    with mailbox_server.running([mails.mail("postfix_gone", copy)], {"LOGIN": "slow"}) as server:
        assert mailbox.read(account=account(server.port), now=now).events == 1


def test_a_server_that_says_nothing_at_first_is_not_waited_for_all_the_pass(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "CONNECT_SECONDS", 0.1)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(mailbox.MailboxAway):
        mailbox.read(account=account(silent.getsockname()[1]), now=now, seconds=5)
    assert time.monotonic() - started < 4


def test_a_pass_leaves_no_connection_and_no_watch_behind(now: datetime) -> None:
    with mailbox_server.running([]) as server:
        before = set(threading.enumerate())
        mailbox.read(account=account(server.port), now=now)
        for watch in {one for one in threading.enumerate() if isinstance(one, threading.Timer)} - before:
            # A cancelled timer thread ends soon, but not instantly.
            watch.join(5)
            assert not watch.is_alive()
        box = opened(server)
        box.release()
        assert box.client.socket().fileno() == -1


def test_a_pass_that_fails_lets_go_too(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[Any] = []
    kind = imap.ImapBox
    release = kind.release

    def note(box: Any) -> None:
        release(box)
        released.append(box)

    monkeypatch.setattr(kind, "release", note)
    with mailbox_server.running([], {"LOGIN": "drop"}) as server, pytest.raises(mailbox.MailboxAway):
        mailbox.read(account=account(server.port), now=now)
    assert len(released) == 1


# --- Who reads -------------------------------------------------------------------------------


def test_a_login_that_fails_for_another_reason_blames_no_password(now: datetime) -> None:
    with (
        mailbox_server.running([], {"LOGIN": "drop"}) as server,
        pytest.raises(mailbox.MailboxAway, match="could not be read to its end"),
    ):
        mailbox.read(account=account(server.port), now=now)


def test_a_password_is_handed_over_as_the_server_prefers(copy: Delivery, now: datetime) -> None:
    """AUTHENTICATE PLAIN takes what LOGIN has no way to write; some servers take nothing else."""
    raw, options = [mails.mail("postfix_gone", copy)], {"capabilities": "UIDPLUS AUTH=PLAIN LOGINDISABLED"}
    with mailbox_server.running(raw, {"LOGIN": "refuse"}, **options) as server:
        assert mailbox.read(account=account(server.port), now=now).events == 1


def test_a_folder_may_have_any_name(copy: Delivery, now: datetime) -> None:
    raw = [mails.mail("postfix_gone", copy)]
    with mailbox_server.running(raw, folder=r'"the \"returned\" \\ mail"') as server:
        where = account(server.port, folder=r'the "returned" \ mail')
        assert mailbox.read(account=where, now=now).events == 1


# --- Beside other people ---------------------------------------------------------------------


def test_what_somebody_else_deleted_is_neither_read_nor_expunged(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running([mails.mail("postfix_gone", copy), mails.mail("yahoo_arf", copy)]) as server:
        server.mails[0].flags.add("\\Deleted")
        assert mailbox.read(account=account(server.port), now=now).events == 1
        assert [mail.uid for mail in server.mails] == [11]
    assert DeliveryEvent.objects.get().kind == "complaint"


def test_a_mail_that_went_meanwhile_is_not_dealt_with(now: datetime) -> None:
    with mailbox_server.running([b"Subject: x\r\n\r\n"], {"UID FETCH": "gone"}) as server:
        assert mailbox.read(account=account(server.port), now=now) == mailbox.Pass()
        assert not [command for command in server.commands if command.startswith("UID STORE")]


def test_an_older_server_expunges_all_at_once(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running([mails.mail("postfix_gone", copy)], capabilities="") as server:
        assert mailbox.read(account=account(server.port), now=now).events == 1
        assert server.mails == []


def test_where_nothing_was_deleted_nothing_is_expunged(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running([b"Subject: x\r\n\r\n"], capabilities="") as server:
        server.mails[0].flags.add("\\Deleted")
        mailbox.read(account=account(server.port), now=now)
        assert len(server.mails) == 1


# --- Many, and large -------------------------------------------------------------------------


def test_a_full_mailbox_is_asked_for_in_portions(
    copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "SEARCHED_AT_ONCE", 2)
    names = ("postfix_delayed", "postfix_gone", "yahoo_arf", "arf_opt_out", "postfix_expired")
    with mailbox_server.running([mails.mail(name, copy) for name in names]) as server:
        assert mailbox.read(account=account(server.port), now=now, limit=1).events == 1
        assert len([command for command in server.commands if command.startswith("UID SEARCH")]) == 1
        assert mailbox.read(account=account(server.port), now=now).events == 4


def test_what_is_deleted_fits_into_commands_of_a_limited_length() -> None:
    """RFC 7162 4 has servers take lines of 8192 bytes."""
    with mailbox_server.running([b"x\r\n"] * 1_500) as server:
        box = opened(server)
        for mail in server.mails:
            mail.flags.add("\\Deleted")
        box._deleted = [imap.LARGEST_UID - mail.uid for mail in server.mails]
        box.close()
        assert max(map(len, server.commands)) < 8_000


def test_a_mail_is_handed_on_as_it_is_and_no_more_of_it_than_is_looked_at() -> None:
    lines = [b".", b"..", b".x", b"x", *[b"y" * 998] * 1_000]
    with mailbox_server.running([b"\r\n".join(lines)]) as server:
        box = opened(server)
        [(_, raw)] = box.mails(1)
        box.release()
    assert raw.split(b"\r\n")[:5] == lines[:5]
    assert len(raw) == notices.LOOKED_AT


# --- Servers that keep to no protocol --------------------------------------------------------


@rows(
    ("command", "sent"),
    [
        ("UID SEARCH", "* SEARCH 11\r\n* SEARCH 12"),
        ("UID SEARCH", "* SEARCH eleven"),
        ("UID SEARCH", "* SEARCH 11 12 (" + "(" * 20_000),
        ("UID FETCH", "* 1 FETCH " + "(" * 20_000),
        ("UID FETCH", "* 1 FETCH (UID 11 BODY[]<0>"),
        ("UID FETCH", "* 1 FETCH (UID 11 BODY[]<0> {9}\r\n123"),
        ("UID FETCH", "* x FETCH (UID 11)"),
        ("SELECT", "* OK [PERMANENTFLAGS (" + "(" * 20_000 + ")] flags"),
        ("SELECT", "* x EXISTS"),
        ("UID SEARCH", "x" * 2_000_000),
    ],
)
def test_what_is_no_imap_ends_the_pass_in_a_sentence(now: datetime, command: str, sent: str) -> None:
    with (
        mailbox_server.running([b"Subject: x\r\n\r\n"], {command: sent}) as server,
        pytest.raises(mailbox.MailboxAway, match="could not be read to its end"),
    ):
        mailbox.read(account=account(server.port), now=now, seconds=5)


@rows("sent", ["* SEARCH 0", "* SEARCH 4294967296", "* SEARCH " + "9" * 3_000])
def test_what_is_no_number_of_a_mail_goes_into_no_command(now: datetime, sent: str) -> None:
    with mailbox_server.running([b"Subject: x\r\n\r\n"], {"UID SEARCH": sent}) as server:
        assert mailbox.read(account=account(server.port), now=now) == mailbox.Pass()
        assert not [command for command in server.commands if command.startswith("UID FETCH")]


@rows(
    "sent", ["* 1 FETCH (UID 11 BODY[]<0> NIL)", "* 1 FETCH (UID 12 BODY[]<0> {1}\r\nx)", "* 1 FETCH (UID 11 FLAGS ())"]
)
def test_a_mail_that_was_not_sent_is_not_dealt_with(now: datetime, sent: str) -> None:
    with mailbox_server.running([b"Subject: x\r\n\r\n"], {"UID FETCH": sent}) as server:
        assert mailbox.read(account=account(server.port), now=now) == mailbox.Pass()
        assert not [command for command in server.commands if command.startswith("UID STORE")]


def test_a_server_that_never_ends_its_greeting_keeps_one_thread(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "CONNECT_SECONDS", 0.2)
    with mailbox_server.running([], {"GREETING": "drip"}) as server:
        for _ in range(3):
            with pytest.raises(mailbox.MailboxAway, match="TimeoutError"):
                mailbox.read(account=account(server.port), now=now)
        assert server.commands == ["GREETING"]
        [thread] = [one for one in threading.enumerate() if one.name == imap.CONNECTING]
    thread.join(20)
    with mailbox_server.running([]) as server:
        assert mailbox.read(account=account(server.port), now=now) == mailbox.Pass()
