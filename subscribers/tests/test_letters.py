"""Letters: a row before a task, sent at least once, and written for reading."""

import email
import logging
import smtplib
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from celery import current_app as app
from django.conf import settings as site
from django.core import mail
from django.core.mail import EmailMessage as DjangoMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from django.utils import timezone

from core.reasons import Reason
from mailkit import addresses
from subscribers import legal, links, preferences, renewal, signup, suppression, tasks
from subscribers.letters import queue, render, send
from subscribers.models import LegalDocument, LegalVersion, Letter, Newsletter, Subscriber, Subscription, Suppression
from subscribers.tests.conftest import form_token
from tests.cast import BOB, RITA, ask, confirmed, evidence, make_newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db


class Server(BaseEmailBackend):
    """A mail server that replies as the test sets it, or accepts."""

    says: Exception | None = None
    accepted: list[DjangoMessage] = []
    opened = 0

    def open(self) -> bool:
        Server.opened += 1
        return True

    def send_messages(self, messages: object) -> int:
        if Server.says is not None:
            raise Server.says
        Server.accepted += list(messages)  # type: ignore[call-overload]  # Django passes a list
        return 1


@pytest.fixture
def server(settings: object) -> Iterator[type[Server]]:
    """The mail server of the test."""
    settings.EMAIL_BACKEND = f"{__name__}.Server"  # type: ignore[attr-defined]  # pytest-django's settings fixture
    Server.says, Server.accepted, Server.opened = None, [], 0
    yield Server
    Server.says = None


@pytest.fixture
def letter(newsletter: Newsletter) -> Letter:
    """Rita's confirm letter, waiting."""
    ask(RITA, newsletter)
    return Letter.objects.get()


def try_to_send(letter: Letter, *, after: timedelta = timedelta()) -> Letter:
    send.send(letter_id=letter.pk, now=timezone.now() + after)
    letter.refresh_from_db()
    return letter


def test_it_is_sent_once(letter: Letter, server: type[Server]) -> None:
    for _ in range(3):
        tasks.send_letter(letter.pk)

    assert len(server.accepted) == 1
    letter.refresh_from_db()
    assert (letter.state, letter.attempts) == ("sent", 1)


def test_its_message_id_is_its_own_and_stays(letter: Letter, server: type[Server]) -> None:
    server.says = smtplib.SMTPServerDisconnected("gone")
    try_to_send(letter)
    server.says = None
    try_to_send(letter, after=timedelta(minutes=2))

    sent = server.accepted[0]
    assert letter.uuid.hex in sent.extra_headers["Message-ID"]
    assert sent.to == [RITA]
    assert sent.cc == sent.bcc == []


@rows(("attempt", "minutes"), list(enumerate([1, 5, 15, 60, 240, 240])))
def test_it_waits_longer_after_each_failure(letter: Letter, server: type[Server], attempt: int, minutes: int) -> None:
    server.says = smtplib.SMTPDataError(451, b"4.3.2 later")
    Letter.objects.update(attempts=attempt)
    now = timezone.now()
    send.send(letter_id=letter.pk, now=now)
    letter.refresh_from_db()

    assert (letter.state, letter.due_at) == ("pending", now + timedelta(minutes=minutes))
    assert send.send(letter_id=letter.pk, now=now + timedelta(minutes=minutes, seconds=-1)) is None


def test_it_expires_after_72_hours(letter: Letter, server: type[Server]) -> None:
    assert try_to_send(letter, after=timedelta(hours=73)).state == "expired"
    assert not server.accepted


def test_a_sender_that_died_is_followed_by_another(letter: Letter, server: type[Server]) -> None:
    now = timezone.now()
    Letter.objects.update(state="attempting", attempts=1, lease_until=now + send.LEASE)
    assert send.send(letter_id=letter.pk, now=now) is None
    assert send.send(letter_id=letter.pk, now=now + send.LEASE) == "sent"


def test_one_who_lost_the_lease_settles_nothing(letter: Letter, server: type[Server]) -> None:
    stale = send._claim(letter.pk, timezone.now())
    assert stale is not None
    Letter.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    try_to_send(letter)
    send._settle(stale, Letter.State.REJECTED, Reason("other"), timezone.now())
    letter.refresh_from_db()

    assert letter.state == "sent"


@rows(
    ("fault", "state"),
    [
        (smtplib.SMTPRecipientsRefused({RITA: (550, b"5.1.1 no such user")}), "rejected"),
        (smtplib.SMTPRecipientsRefused({RITA: (450, b"4.2.0 greylisted")}), "pending"),
        (smtplib.SMTPRecipientsRefused({RITA: (554, b"5.7.1 relay access denied")}), "pending"),
        (smtplib.SMTPDataError(552, b"5.3.4 too big"), "pending"),
        (smtplib.SMTPRecipientsRefused({RITA: (550, b"blocked by our block list")}), "pending"),
        (smtplib.SMTPRecipientsRefused({RITA: (552, b"5.2.2 mailbox full")}), "rejected"),
        (smtplib.SMTPDataError(550, b"5.7.26 DMARC"), "pending"),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 no"), "pending"),
        (smtplib.SMTPSenderRefused(550, b"5.1.0 no", "news@us"), "pending"),
        (smtplib.SMTPServerDisconnected("bye"), "pending"),
        (ConnectionRefusedError(), "pending"),
        (TimeoutError(), "pending"),
        (socket.gaierror(), "pending"),
    ],
)
def test_only_a_refusal_of_this_mailbox_is_final(
    letter: Letter, server: type[Server], caplog: pytest.LogCaptureFixture, fault: Exception, state: str
) -> None:
    server.says = fault
    with caplog.at_level(logging.INFO):
        try_to_send(letter)

    assert letter.state == state
    assert letter.reason
    assert "@" not in letter.reason + caplog.text


def test_a_letter_that_cannot_be_written_stops_no_other(
    letter: Letter, newsletter: Newsletter, server: type[Server]
) -> None:
    ask(BOB, newsletter)
    Subscriber.objects.filter(address=RITA).update(address="rita@reader.org\nBcc: bob@elsewhere.net")
    send.sweep(clock=timezone.now)

    letter.refresh_from_db()
    assert letter.state == "pending"
    assert [sent.to for sent in server.accepted] == [[BOB]]


def test_the_sweeper_sends_what_lost_its_task(letter: Letter, newsletter: Newsletter, server: type[Server]) -> None:
    ask(BOB, newsletter)
    assert send.sweep(clock=timezone.now) == 2
    assert send.sweep(clock=timezone.now) == 0
    assert len(server.accepted) == 2


def test_people_who_wait_come_before_the_bulk_of_an_import(
    rita: Subscription, newsletter: Newsletter, server: type[Server]
) -> None:
    Letter.objects.all().delete()
    Subscription.objects.update(state="pending")
    rita.refresh_from_db()
    queue.hold_many(kind=Letter.Kind.PERMISSION, subscriptions=[(rita.pk, rita.subscriber_id)], now=timezone.now())
    queue.release(newsletter=newsletter, per_hour=60, actor=None, now=timezone.now() - timedelta(hours=1))
    ask(BOB, newsletter)
    send.sweep(clock=timezone.now)

    assert [sent.to for sent in server.accepted] == [[BOB], [RITA]]


def test_a_suppressed_address_is_not_written_to(letter: Letter, server: type[Server]) -> None:
    key = addresses.normalise(RITA).key
    suppression.suppress(address_key=key, reason=Suppression.Reason.COMPLAINT, actor=None, now=timezone.now())

    assert try_to_send(letter).state == "rejected"
    assert not server.accepted


def test_an_erased_person_is_asked_to_confirm_when_they_ask_again(letter: Letter, server: type[Server]) -> None:
    key = addresses.normalise(RITA).key
    suppression.suppress(address_key=key, reason=Suppression.Reason.ERASED, actor=None, now=timezone.now())

    assert try_to_send(letter).state == "sent"


def test_a_letter_overtaken_by_the_reader_is_not_sent(letter: Letter, server: type[Server]) -> None:
    signup.unsubscribe(subscription=Subscription.objects.get(), evidence=evidence(), reason="t", now=timezone.now())

    assert try_to_send(letter).state == "expired"
    assert not server.accepted


@pytest.fixture
def _broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery's broker cannot be reached."""
    monkeypatch.setitem(app.conf, "broker_url", "redis+socket:///nowhere/redis.sock")
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_broker_away")
def test_a_broker_that_is_away_costs_nobody_a_subscription(
    browser: Client, server: type[Server], caplog: pytest.LogCaptureFixture
) -> None:
    make_newsletter()
    form = {"address": RITA, "newsletters": "tech-news", "consent": "on", "form_token": form_token()}
    assert browser.post("/subscribe/", form).status_code == 303

    assert "the broker is away" in caplog.text
    assert "reader.org" not in caplog.text
    assert Letter.objects.get().state == "pending"
    send.sweep(clock=timezone.now)
    assert len(server.accepted) == 1


# What they say.


@pytest.fixture
def inbox(settings: object, tmp_path: Path) -> Callable[[], list[EmailMessage]]:
    """Sends what waits through the local transport and returns it as a mail program reads it."""
    settings.LOCAL_MAIL_DIR = tmp_path  # type: ignore[attr-defined]  # pytest-django's settings fixture
    settings.EMAIL_BACKEND = "mailkit.local_mail.LocalBackend"  # type: ignore[attr-defined]  # as above

    def read() -> list[EmailMessage]:
        send.sweep(clock=timezone.now)
        files = sorted(tmp_path.rglob("*.eml"))
        messages = [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]
        return [message for message in messages if isinstance(message, EmailMessage)]

    return read


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    assert body.get_content_charset() == "utf-8"
    return str(body.get_content())


def _to_confirm(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)


def _reminder(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)
    Letter.objects.update(kind=Letter.Kind.REMINDER)


def _already(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    Letter.objects.all().delete()
    ask(RITA, newsletter)


def _permission(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)
    Letter.objects.update(kind=Letter.Kind.PERMISSION)


def _welcome(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    Letter.objects.filter(kind=Letter.Kind.CONFIRM).delete()


def _goodbye(newsletter: Newsletter) -> None:
    rita = confirmed(RITA, newsletter)
    Letter.objects.all().delete()
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())


def _preferences(newsletter: Newsletter) -> None:
    rita = confirmed(RITA, newsletter)
    Letter.objects.all().delete()
    preferences.mail_link(subscriber=rita.subscriber, now=timezone.now())


def _renewal(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    Letter.objects.all().delete()
    terms, now = LegalDocument.objects.get(kind="terms"), timezone.now()
    version = legal.draft(document=terms, body_markdown="Be kinder.", change_note="Kinder.", now=now)
    legal.publish_version(version=version, actor=None, now=now)
    renewal.ask(newsletter=newsletter, version=version, actor=None, now=now)
    tasks.sweep_letters()


def test_every_kind_has_its_templates_reason_and_facts() -> None:
    folders = {kind: site.BASE_DIR / "templates" / "letters" / kind for kind in Letter.Kind.values}
    files = {"subject.txt", "body.txt", "body.mjml"}
    assert {kind for kind, folder in folders.items() if not all((folder / file).exists() for file in files)} == set()
    assert set(Letter.Kind) == set(render.REASONS) == set(render.FACTS)


@pytest.mark.parametrize(
    ("cause", "subject", "link"),
    [
        (_to_confirm, "Please confirm your subscription to Block News International", "/confirm/"),
        (_reminder, "Your subscription to Block News International is not confirmed yet", "/confirm/"),
        (_already, "You are already subscribed to Block News International", "/preferences/"),
        (_permission, "May we write to you? Block News International", "/confirm/"),
        (_welcome, "Welcome to L'Été <News>", "/unsubscribe/"),
        (_goodbye, "You are unsubscribed from L'Été <News>", "/subscribe/"),
        (_renewal, "Please agree: Block News International has a new version of “Terms of use”", "/agree/"),
        (_preferences, "Your preferences at Block News International", "/preferences/"),
    ],
)
def test_each_letter_reads_well_in_both_parts(
    newsletter: Newsletter,
    inbox: Callable[[], list[EmailMessage]],
    cause: Callable[[Newsletter], None],
    subject: str,
    link: str,
) -> None:
    Newsletter.objects.update(name="L'Été <News>")
    newsletter.refresh_from_db()
    cause(newsletter)
    (message,) = inbox()

    assert message["Subject"] == subject
    assert message["To"] == RITA
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    text, html = part(message, "plain"), part(message, "html")
    assert f"{site.SITE_URL}{link}" in text
    assert f"{site.SITE_URL}{link}" in html
    assert "Blends Media Group" in text
    assert "<News>" not in html
    assert "&#x27;" not in text
    assert len(BeautifulSoup(html, "html5lib").select("h1[style*='font-size']")) == 1
    assert "prefers-color-scheme: dark" in html
    assert "[data-ogsc] .sheet h1" in html
    assert "{{" not in text + html
    assert "{%" not in text + html
    assert max(len(line) for line in text.splitlines() if "://" not in line) <= 78


def test_the_link_in_the_letter_confirms(
    browser: Client, newsletter: Newsletter, inbox: Callable[[], list[EmailMessage]]
) -> None:
    ask(RITA, newsletter)
    text = part(inbox()[0], "plain")
    path = next(line for line in text.splitlines() if "/confirm/" in line).strip().removeprefix(site.SITE_URL)
    browser.post(path)

    assert Subscription.objects.get().state == "confirmed"


def test_a_welcome_can_be_answered_with_one_click(
    browser: Client, newsletter: Newsletter, texts: list[LegalVersion], inbox: Callable[[], list[EmailMessage]]
) -> None:
    _welcome(newsletter)
    (message,) = inbox()
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = message["List-Unsubscribe"].strip().strip("<>").removeprefix(site.SITE_URL)
    browser.post(path, {"List-Unsubscribe": "One-Click"})

    assert Subscription.objects.get().state == "unsubscribed"
    assert links.read_unsubscribe(path.split("/")[2]).state == "unsubscribed"
    assert not mail.outbox
