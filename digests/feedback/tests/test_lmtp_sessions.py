"""LMTP sessions: their connections, limits and replies when a mail cannot be processed."""

import logging
import smtplib
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from digests.feedback import ingestion, lmtp
from digests.feedback.tests import mails
from digests.feedback.tests.test_lmtp import domain
from digests.models import Delivery, DeliveryEvent
from postal.notifications import notices
from tests import ownership

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["domain"]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A running server on a socket file that a killed server left."""
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with lmtp.server(str(path)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.fixture
def client(path: Path) -> Iterator[smtplib.LMTP]:
    with smtplib.LMTP(str(path), timeout=20) as client:
        client.ehlo()
        yield client


def hand_over(client: smtplib.LMTP, raw: bytes, *recipients: str) -> int:
    """The reply code after DATA, for the first recipient."""
    client.docmd("MAIL FROM:<>")
    for one in recipients:
        client.docmd(f"RCPT TO:<{one}>")
    return client.data(raw)[0]


def backends() -> list[int]:
    """The other connections to this database."""
    with ownership.owner(), connection.cursor() as cursor:
        mine = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        cursor.execute(f"{mine} AND backend_type = 'client backend'")
        return [pid for (pid,) in cursor.fetchall()]


def becomes_true(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_only_this_user_and_group_may_come_in(path: Path) -> None:
    """Anyone with access could deliver notifications."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_mail_that_causes_an_error_stays_in_the_queue(
    client: smtplib.LMTP, copy: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(**_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "take", stumble)
        assert hand_over(client, mails.mail("postfix_gone", copy), mails.return_path(copy)) == 451
    assert hand_over(client, mails.mail("postfix_gone", copy), mails.return_path(copy)) == 250
    assert DeliveryEvent.objects.count() == 1


def test_a_mail_that_is_too_large_is_refused_for_good(
    client: smtplib.LMTP, copy: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmtp, "LARGEST", 3_000)
    raw = mails.mail("postfix_gone", copy)
    assert hand_over(client, raw + b"x" * 3_000, mails.return_path(copy)) == 552
    assert not DeliveryEvent.objects.exists()
    assert hand_over(client, raw, mails.return_path(copy)) == 250


def test_a_mail_comes_in_as_it_was_written(
    client: smtplib.LMTP, copy: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dots that were doubled are single again; in the middle of a line they neither end the mail nor go."""
    taken: list[bytes] = []
    monkeypatch.setattr(ingestion, "take", lambda *, raw, **_: taken.append(raw))
    long = b"z" * lmtp._LINE
    raw = b"\r\n".join([b"Subject: x", b"", b".", b"..", b".x", long + b".", long + b".y", b"end", b""])
    hand_over(client, raw, mails.return_path(copy))
    assert taken == [raw]

    hand_over(client, b"x\r\n" * 500_000, mails.return_path(copy))
    assert len(taken[1]) < notices.LOOKED_AT + 10, "no more is kept than is looked at"


def test_the_next_mail_names_its_own_readers(client: smtplib.LMTP, copy: Delivery) -> None:
    hand_over(client, mails.mail("postfix_gone", copy), mails.return_path(copy))
    assert client.docmd("DATA")[0] == 503
    assert client.docmd(f"RCPT TO:<{mails.return_path(copy)}>")[0] == 503


def test_more_recipients_than_there_is_room_for_come_with_the_next_mail(
    client: smtplib.LMTP, copy: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmtp, "RECIPIENTS", 2)
    client.docmd("MAIL FROM:<>")
    assert [client.docmd(f"RCPT TO:<{mails.return_path(copy)}>")[0] for _ in range(3)] == [250, 250, 452]


@pytest.mark.parametrize("address", ["x@elsewhere.example", f"x@sub.{mails.DOMAIN}", "x", f"@{mails.DOMAIN}"])
def test_only_mail_to_our_domain_is_taken(copy: Delivery, address: str) -> None:
    assert not lmtp.is_ours(address)
    local = mails.return_path(copy).partition("@")[0]
    assert not lmtp.is_ours(f"{local}@elsewhere.example")
    assert lmtp.is_ours(f"{local}@{mails.DOMAIN.upper()}.")


def test_a_client_that_says_nothing_loses_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lmtp._Session.timeout == lmtp.SESSION_SECONDS
    monkeypatch.setattr(lmtp._Session, "timeout", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.settimeout(10)
        silent.connect(str(path))
        assert silent.recv(100).startswith(b"220")
        assert silent.recv(100) == b""


def test_a_session_that_breaks_off_is_a_line_in_the_log(
    path: Path, copy: Delivery, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, lmtp.log.name)
    with smtplib.LMTP(str(path)) as client:
        client.ehlo()
        client.docmd("MAIL FROM:<>")
        client.docmd(f"RCPT TO:<{mails.return_path(copy)}>")
        client.docmd("DATA")
        client.close()
    assert becomes_true(lambda: "broke off" in caplog.text)
    assert "Traceback" not in capfd.readouterr().err


def test_a_session_lives_through_a_database_that_went_away(client: smtplib.LMTP, copy: Delivery) -> None:
    """The connection that it holds is dead, and a new one is made for the next mail."""
    assert hand_over(client, mails.mail("postfix_gone", copy), mails.return_path(copy)) == 250
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [backends()])
    codes = [hand_over(client, mails.mail("yahoo_arf", copy), mails.return_path(copy)) for _ in range(3)]
    assert codes[-1] == 250
    assert set(codes) <= {451, 250}
    assert DeliveryEvent.objects.count() == 2


def test_a_session_that_ends_gives_its_connection_back(path: Path, copy: Delivery) -> None:
    before: Any = set(backends())
    with smtplib.LMTP(str(path), timeout=20) as client:
        client.ehlo()
        hand_over(client, mails.mail("postfix_gone", copy), mails.return_path(copy))
        assert set(backends()) - before
    assert becomes_true(lambda: not set(backends()) - before)
