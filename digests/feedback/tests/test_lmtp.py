"""The LMTP server, with a real client over a real socket."""

import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import OperationalError

from digests.feedback import events, lmtp
from digests.feedback.tests import mails
from digests.models import Delivery, DeliveryEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def domain(settings: Any) -> None:
    settings.RETURN_DOMAIN = mails.DOMAIN


@pytest.fixture(params=["port", "socket"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A running server, on a port or a Unix socket."""
    path = tmp_path / "lmtp"
    with lmtp.server("127.0.0.1:0" if request.param == "port" else str(path)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        port = 0 if request.param == "socket" else int(server.socket.getsockname()[1])
        yield (str(path), 0) if request.param == "socket" else ("127.0.0.1", port)
        server.shutdown()
        thread.join()


@pytest.fixture
def client(where: tuple[str, int]) -> Iterator[smtplib.LMTP]:
    with smtplib.LMTP(*where, timeout=60) as client:
        yield client


def test_a_bounce_is_answered_for_when_its_event_is_committed(client: smtplib.LMTP, copy: Delivery) -> None:
    client.sendmail("", [mails.return_path(copy)], mails.mail("postfix_gone", copy))
    assert DeliveryEvent.objects.get().kind == "hard_bounce"


def test_the_envelope_names_the_copy_when_nothing_in_the_mail_does(client: smtplib.LMTP, copy: Delivery) -> None:
    raw = mails.mail("postfix_headers_only", copy, return_path="someone@mx.example").replace(b"Message-ID: <", b"X: <")
    client.sendmail("", [mails.return_path(copy).upper()], raw)
    assert DeliveryEvent.objects.get().delivery_uuid == copy.uuid


def test_each_recipient_is_answered_for(client: smtplib.LMTP, copy: Delivery) -> None:
    """RFC 2033 4.2; a forged return path is refused before the mail."""
    forged = mails.return_path(copy)[:-40] + "0" * 14 + mails.return_path(copy)[-26:]
    stranger, other = "reader@elsewhere.example", f"unsubscribe@{mails.DOMAIN}"
    recipients = [mails.return_path(copy), forged, stranger, other]
    assert lmtp.is_ours(recipients[0])
    refused = client.sendmail("", recipients, mails.mail("postfix_gone", copy))
    assert {address: reply[0] for address, reply in refused.items()} == {forged: 550, stranger: 550}
    # smtplib itself reads only the first of the two replies.
    assert client.getreply()[0] == 250
    assert DeliveryEvent.objects.count() == 1
    client.sendmail("", [mails.return_path(copy)], mails.mail("yahoo_arf", copy))
    assert DeliveryEvent.objects.count() == 2


def test_while_the_database_is_away_the_mail_stays_in_the_queue(
    client: smtplib.LMTP, copy: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(events, "store", away)
    with pytest.raises(smtplib.SMTPDataError) as caught:
        client.sendmail("", [mails.return_path(copy)], mails.mail("postfix_gone", copy))
    assert caught.value.smtp_code == 451
    monkeypatch.undo()
    client.sendmail("", [mails.return_path(copy)], mails.mail("postfix_gone", copy))
    assert DeliveryEvent.objects.count() == 1


def test_a_mail_too_large_to_be_a_notice_is_read_to_its_end(client: smtplib.LMTP, copy: Delivery) -> None:
    """Its beginning counts, and the session goes on."""
    raw = mails.mail("postfix_gone", copy) + b"." * 3_000_000 + b"\r\n.\r\n" + b"x" * 200_000 + b"\r\n"
    client.sendmail("", [mails.return_path(copy)], raw)
    client.sendmail("", [mails.return_path(copy)], mails.mail("yahoo_arf", copy))
    assert DeliveryEvent.objects.count() == 2


def test_the_order_of_commands_is_kept(client: smtplib.LMTP, copy: Delivery) -> None:
    assert client.docmd("MAIL FROM:<>")[0] == 503
    assert client.docmd("EHLO x")[0] == 500
    client.ehlo()
    assert client.docmd(f"RCPT TO:<{mails.return_path(copy)}>")[0] == 503
    assert client.docmd("DATA")[0] == 503
    assert client.docmd("MAIL FROM:nobody")[0] == 501
    assert client.docmd("MAIL FROM:<> BODY=8BITMIME")[0] == 250
    assert client.docmd("MAIL FROM:<>")[0] == 503
    assert client.docmd("NOOP")[0] == client.docmd("RSET")[0] == 250
    assert client.docmd("VRFY x")[0] == 252
    assert client.docmd("X" * 100_000)[0] == 500
    assert client.docmd("NOOP")[0] == 250, "the rest of a long line is no command"


def test_a_client_that_goes_away_in_the_middle_changes_nothing(where: tuple[str, int], copy: Delivery) -> None:
    client = smtplib.LMTP(*where)
    client.ehlo()
    client.docmd("MAIL FROM:<>")
    client.docmd(f"RCPT TO:<{mails.return_path(copy)}>")
    assert client.docmd("DATA")[0] == 354
    client.send(mails.mail("postfix_gone", copy))
    client.close()
    with smtplib.LMTP(*where) as next_one:
        assert next_one.noop()[0] == 250
    assert not DeliveryEvent.objects.exists()


def test_more_sessions_than_there_is_room_for_are_sent_away(where: tuple[str, int]) -> None:
    clients = [smtplib.LMTP(*where) for _ in range(lmtp.SESSIONS)]
    with pytest.raises(smtplib.SMTPConnectError) as caught:
        smtplib.LMTP(*where)
    assert caught.value.smtp_code == 421
    for client in clients:
        client.quit()
    assert any(_is_let_in(where) for _ in range(300))


def _is_let_in(where: tuple[str, int]) -> bool:
    try:
        smtplib.LMTP(*where).quit()
    except smtplib.SMTPConnectError:
        time.sleep(0.1)
        return False
    return True


def test_the_command_serves_until_sigterm(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    command = [sys.executable, "manage.py", "serve_lmtp", "--listen", str(path)]
    environment = os.environ | {"RETURN_DOMAIN": mails.DOMAIN}
    environment.pop("PYTEST_VERSION", None)
    with subprocess.Popen(command, cwd=configured.BASE_DIR, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"Taking returned mail" in process.stdout.readline()
        with smtplib.LMTP(str(path)) as client:
            assert client.docmd("LHLO x")[0] == 250
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_the_command_asks_for_a_domain_and_a_place(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CommandError, match="no address to listen on"):
        call_command("serve_lmtp", listen=f"127.0.0.1:{taken.getsockname()[1]}")
    settings.RETURN_DOMAIN = ""
    with pytest.raises(CommandError, match="RETURN_DOMAIN"):
        call_command("serve_lmtp")
