"""What servers do with a mailbox, and other people beside us: no mail is lost, marked or read for nothing."""

import socket
import threading
import time
from datetime import datetime
from typing import Any

import pytest

from digests.feedback import mailbox
from digests.feedback.tests import mails
from digests.feedback.tests.test_mailbox import account, both
from digests.models import Delivery, DeliveryEvent
from postal.mailbox import imap, pop3
from postal.notifications import notices
from tests.faults import mailbox_server
from tests.table import rows

pytestmark = pytest.mark.django_db
LOGIN = {"imap": "LOGIN", "pop3": "PASS"}
BOXES: dict[str, Any] = {"imap": (imap, imap.ImapBox), "pop3": (pop3, pop3.PopBox)}


def opened(protocol: str, server: mailbox_server.Server) -> Any:
    """An open mailbox without the pass around it."""
    box = BOXES[protocol][1](account(protocol, server.port), None)
    box.open()
    return box


# --- Time ------------------------------------------------------------------------------------


@both
def test_a_server_may_take_longer_to_answer_than_to_be_reached(
    copy: Delivery, now: datetime, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BOXES[protocol][0], "CONNECT_SECONDS", 0.3)
    with mailbox_server.running(protocol, [mails.mail("postfix_gone", copy)], {LOGIN[protocol]: "slow"}) as server:
        assert mailbox.read(account=account(protocol, server.port), now=now).events == 1


@both
def test_a_server_that_says_nothing_at_first_is_not_waited_for_all_the_pass(
    now: datetime, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BOXES[protocol][0], "CONNECT_SECONDS", 0.1)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(mailbox.MailboxAway):
        mailbox.read(account=account(protocol, silent.getsockname()[1]), now=now, seconds=5)
    assert time.monotonic() - started < 4


@both
def test_a_pass_leaves_no_connection_and_no_watch_behind(now: datetime, protocol: str) -> None:
    with mailbox_server.running(protocol, []) as server:
        before = set(threading.enumerate())
        mailbox.read(account=account(protocol, server.port), now=now)
        for watch in {one for one in threading.enumerate() if isinstance(one, threading.Timer)} - before:
            # One that was called off ends at once, though not in this very instant.
            watch.join(5)
            assert not watch.is_alive()
        box = opened(protocol, server)
        box.release()
        assert box.client.sock is None or box.client.sock.fileno() == -1


@both
def test_a_pass_that_fails_lets_go_too(now: datetime, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[Any] = []
    kind = BOXES[protocol][1]
    release = kind.release

    def note(box: Any) -> None:
        release(box)
        released.append(box)

    monkeypatch.setattr(kind, "release", note)
    with mailbox_server.running(protocol, [], {LOGIN[protocol]: "drop"}) as server, pytest.raises(mailbox.MailboxAway):
        mailbox.read(account=account(protocol, server.port), now=now)
    assert len(released) == 1


# --- Who reads -------------------------------------------------------------------------------


@rows(("protocol", "fault"), [("imap", "drop"), ("pop3", "drop"), ("pop3", "busy")])
def test_a_login_that_fails_for_another_reason_blames_no_password(now: datetime, protocol: str, fault: str) -> None:
    with (
        mailbox_server.running(protocol, [], {LOGIN[protocol]: fault}) as server,
        pytest.raises(mailbox.MailboxAway, match="could not be read to its end"),
    ):
        mailbox.read(account=account(protocol, server.port), now=now)


def test_a_password_is_handed_over_as_the_server_prefers(copy: Delivery, now: datetime) -> None:
    """AUTHENTICATE PLAIN takes what LOGIN has no way to write; some servers take nothing else."""
    raw, options = [mails.mail("postfix_gone", copy)], {"capabilities": "UIDPLUS AUTH=PLAIN LOGINDISABLED"}
    with mailbox_server.running("imap", raw, {"LOGIN": "refuse"}, **options) as server:
        assert mailbox.read(account=account("imap", server.port), now=now).events == 1


def test_a_folder_may_have_any_name(copy: Delivery, now: datetime) -> None:
    raw = [mails.mail("postfix_gone", copy)]
    with mailbox_server.running("imap", raw, folder=r'"the \"returned\" \\ mail"') as server:
        where = account("imap", server.port, folder=r'the "returned" \ mail')
        assert mailbox.read(account=where, now=now).events == 1


# --- Beside other people ---------------------------------------------------------------------


def test_what_somebody_else_deleted_is_neither_read_nor_expunged(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running("imap", [mails.mail("postfix_gone", copy), mails.mail("yahoo_arf", copy)]) as server:
        server.mails[0].flags.add("\\Deleted")
        assert mailbox.read(account=account("imap", server.port), now=now).events == 1
        assert [mail.uid for mail in server.mails] == [11]
    assert DeliveryEvent.objects.get().kind == "complaint"


def test_a_mail_that_went_meanwhile_is_not_dealt_with(now: datetime) -> None:
    with mailbox_server.running("imap", [b"Subject: x\r\n\r\n"], {"UID FETCH": "gone"}) as server:
        assert mailbox.read(account=account("imap", server.port), now=now) == mailbox.Pass()
        assert not [command for command in server.commands if command.startswith("UID STORE")]


def test_an_older_server_expunges_all_at_once(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running("imap", [mails.mail("postfix_gone", copy)], capabilities="") as server:
        assert mailbox.read(account=account("imap", server.port), now=now).events == 1
        assert server.mails == []


def test_where_nothing_was_deleted_nothing_is_expunged(copy: Delivery, now: datetime) -> None:
    with mailbox_server.running("imap", [b"Subject: x\r\n\r\n"], capabilities="") as server:
        server.mails[0].flags.add("\\Deleted")
        mailbox.read(account=account("imap", server.port), now=now)
        assert len(server.mails) == 1


# --- Many, and large -------------------------------------------------------------------------


def test_a_full_mailbox_is_asked_for_in_portions(
    copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "_AT_ONCE", 2)
    names = ("postfix_delayed", "postfix_gone", "yahoo_arf", "arf_opt_out", "postfix_expired")
    with mailbox_server.running("imap", [mails.mail(name, copy) for name in names]) as server:
        assert mailbox.read(account=account("imap", server.port), now=now, limit=1).events == 1
        assert len([command for command in server.commands if command.startswith("UID SEARCH")]) == 1
        assert mailbox.read(account=account("imap", server.port), now=now).events == 4


def test_what_is_deleted_fits_into_commands_of_a_bearable_length() -> None:
    """RFC 7162 4 has servers take lines of 8192 octets."""
    with mailbox_server.running("imap", [b"x\r\n"] * 1_500) as server:
        box = opened("imap", server)
        for mail in server.mails:
            mail.flags.add("\\Deleted")
        box._deleted = [str(10_000_000 + mail.uid) for mail in server.mails]
        box.close()
        assert max(map(len, server.commands)) < 8_000


@pytest.mark.parametrize("fault", ["", "refuse"], ids=["", "without TOP"])
def test_of_a_large_mail_only_the_beginning_is_fetched_over_pop3(
    copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    large, bounce = mails.mail("postfix_delayed", copy) + b"x" * 5_000, mails.mail("postfix_gone", copy)
    monkeypatch.setattr(pop3, "WHOLE", 4_000)
    with mailbox_server.running("pop3", [large, bounce], {"TOP": fault}) as server:
        found = mailbox.read(account=account("pop3", server.port), now=now)
        assert "RETR 1" not in server.commands
        assert server.mails == []
    assert (found.events, found.ignored) == ((1, 1) if fault else (2, 0))


def test_a_dot_in_the_middle_of_a_long_line_ends_no_mail(copy: Delivery, now: datetime) -> None:
    long = b"z" * pop3._LONGEST_LINE + b".\r\nmore\r\n"
    with mailbox_server.running("pop3", [long, mails.mail("postfix_gone", copy)]) as server:
        assert mailbox.read(account=account("pop3", server.port), now=now).events == 1
        assert server.mails == []


def test_a_mail_is_handed_on_as_it_is_and_no_more_of_it_than_is_looked_at() -> None:
    lines = [b".", b"..", b".x", b"x", *[b"y" * 998] * 1_000]
    with mailbox_server.running("pop3", [b"\r\n".join(lines)]) as server:
        box = opened("pop3", server)
        [(_, raw)] = box.mails(1)
        box.release()
    assert raw.split(b"\r\n")[:5] == lines[:5]
    assert notices.LOOKED_AT <= len(raw) < notices.LOOKED_AT + 2_000
