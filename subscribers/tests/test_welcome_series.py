"""The welcome series: who gets which letter and when, that nobody gets one twice, and what stops it."""

import smtplib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import IntegrityError, transaction

from core import database_clock
from publication.models import Publication
from staff.models import AuditEvent
from subscribers import erasure, signup, suppression, tasks, welcome, welcome_proofs
from subscribers.letters import send
from subscribers.models import Letter, Newsletter, Subscription, Suppression, WelcomeLetter
from tests.cast import BOB, RITA, account, confirmed, evidence, import_readers
from tests.table import rows

pytestmark = pytest.mark.django_db
ON = datetime(2025, 6, 1, 8, 0, tzinfo=UTC)
CAME = datetime(2025, 6, 10, 21, 30, tzinfo=UTC)  # 23:30 in Berlin
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Server(BaseEmailBackend):
    """A mail server that takes all, or says what the test sets."""

    says: BaseException | None = None
    taken: list[EmailMessage] = []

    def open(self) -> bool:
        return True

    def send_messages(self, messages: Any) -> int:
        if Server.says is not None:
            raise Server.says
        Server.taken += list(messages)
        return 1


@pytest.fixture(autouse=True)
def server(settings: Any) -> Iterator[type[Server]]:
    """The mail server of the test."""
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    Server.says, Server.taken = None, []
    yield Server
    Server.says = None


def written(newsletter: Newsletter, day: int = 2, **values: Any) -> WelcomeLetter:
    """A letter that is on since June."""
    fields = {"subject": f"Day {day}", "body_markdown": "Read **this**.", "hour": 7, "is_on": True} | values
    return welcome.save(letter=WelcomeLetter(newsletter=newsletter, day=day, **fields), actor=None, now=ON)


def clock(until: datetime, *, since: datetime = CAME) -> list[tuple[str, str]]:
    """Let the clock plan and send twice a day and at the end; return subject and address of what left."""
    Server.taken = []
    steps = int((until - since) / (DAY / 2))
    for now in [*(since + DAY / 2 * step for step in range(steps + 1)), until]:
        welcome.plan_due(now=now)
        for pk in Letter.objects.filter(send.due_condition(now), kind="series").order_by("due_at"):
            send.send(letter_id=pk.pk, now=now)
    return [(str(mail.subject), mail.to[0]) for mail in Server.taken]


@pytest.fixture
def letter(newsletter: Newsletter) -> WelcomeLetter:
    return written(newsletter)


def test_it_comes_at_its_hour_where_the_reader_is(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    rita, bob = (confirmed(name, newsletter, now=CAME) for name in (RITA, BOB))
    # In Bishkek it is the next day already.
    type(bob.subscriber).objects.filter(pk=bob.subscriber_id).update(time_zone="Asia/Bishkek")
    assert clock(datetime(2025, 6, 12, 4, 59, tzinfo=UTC)) == []
    assert clock(datetime(2025, 6, 12, 5, 0, tzinfo=UTC)) == [("Day 2", RITA)]
    assert clock(datetime(2025, 6, 13, 0, 59, tzinfo=UTC)) == []
    assert clock(datetime(2025, 6, 13, 1, 0, tzinfo=UTC)) == [("Day 2", BOB)]
    assert clock(CAME + 9 * DAY) == []
    (progress,) = welcome.progress(newsletter=newsletter)
    assert (progress.sent, progress.waiting, progress.uncertain, progress.failed) == (2, 0, 0, 0)
    assert rita.subscriber.letters.get(kind="series").due_at == datetime(2025, 6, 12, 5, 0, tzinfo=UTC)


def test_it_is_a_letter_of_its_newsletter(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    Newsletter.objects.update(sender_name="The Desk", reply_to="desk@blocknews.example")
    confirmed(RITA, newsletter, now=CAME)
    clock(CAME + 3 * DAY)
    (mail,) = Server.taken
    assert mail.from_email == "The Desk <news@blocknews.example>"
    headers = mail.extra_headers
    assert "/unsubscribe/" in headers["List-Unsubscribe"]
    assert "mailto:desk@blocknews.example?subject=unsubscribe-" in headers["List-Unsubscribe"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "<tech-news.newsletters." in headers["List-Id"]
    html = str(mail.alternatives[0][0])  # type: ignore[attr-defined]  # a multipart mail
    assert "<strong" in html
    assert "TEXT-OF-THE-LETTER" not in html + str(mail.body)
    assert "Read this." in str(mail.body).replace("*", "")
    assert "{{" not in html + str(mail.body)
    assert max(len(line) for line in str(mail.body).splitlines() if "://" not in line) <= 78


def test_each_reader_gets_it_in_the_readers_language(newsletter: Newsletter) -> None:
    Publication.objects.update(further_languages=["ru"])
    written(newsletter, translations={"ru": {"subject": "День второй", "body_markdown": "Прочтите."}})
    rita = confirmed(RITA, newsletter, now=CAME)
    type(rita.subscriber).objects.filter(pk=rita.subscriber_id).update(language="ru")
    confirmed(BOB, newsletter, now=CAME)
    assert sorted(clock(CAME + 3 * DAY)) == [("Day 2", BOB), ("День второй", RITA)]


def test_the_letters_come_in_order_even_if_one_was_put_off(newsletter: Newsletter, server: type[Server]) -> None:
    for day in (1, 2):
        written(newsletter, day)
    confirmed(RITA, newsletter, now=CAME)
    server.says = smtplib.SMTPRecipientsRefused({RITA: (450, b"4.2.0 later")})
    assert clock(CAME + DAY) == []
    Letter.objects.filter(welcome__day=1).update(due_at=CAME + 2 * DAY)
    server.says = None
    assert [subject for subject, _ in clock(CAME + 3 * DAY, since=CAME + 30 * HOUR)] == ["Day 1", "Day 2"]


def _leave(rita: Subscription, now: datetime) -> None:
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="link", now=now)


def _pause(rita: Subscription, now: datetime) -> None:
    Subscription.objects.filter(pk=rita.pk).update(paused_until=now + 30 * DAY)


def _suppress(rita: Subscription, now: datetime) -> None:
    reason = Suppression.Reason.COMPLAINT
    suppression.suppress_hash(address_hash=rita.subscriber.address_hash, reason=reason, now=now)


def _erase(rita: Subscription, now: datetime) -> None:
    erasure.erase(address_key=rita.subscriber.address_key, evidence=evidence(), actor=None, now=now)


def _turn_off(rita: Subscription, now: datetime) -> None:
    letter = WelcomeLetter.objects.get()
    letter.is_on = False
    welcome.save(letter=letter, actor=None, now=now)


@pytest.mark.parametrize("stop", [_leave, _pause, _suppress, _erase, _turn_off])
@pytest.mark.parametrize("is_planned", [False, True])
def test_it_is_stopped(
    newsletter: Newsletter, letter: WelcomeLetter, stop: Callable[[Subscription, datetime], None], is_planned: bool
) -> None:
    rita = confirmed(RITA, newsletter, now=CAME)
    at = datetime(2025, 6, 12, 4, 50, tzinfo=UTC) if is_planned else CAME + HOUR
    clock(at)
    assert Letter.objects.filter(kind="series").exists() == is_planned
    stop(rita, at)
    assert clock(CAME + 9 * DAY, since=at) == []
    assert not Letter.objects.filter(kind="series", state__in=["pending", "sent"]).exists()


def test_who_leaves_and_comes_back_does_not_get_it_twice(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    rita = confirmed(RITA, newsletter, now=CAME)
    assert len(clock(CAME + 3 * DAY)) == 1
    _leave(rita, CAME + 4 * DAY)
    confirmed(RITA, newsletter, now=CAME + 5 * DAY)
    assert clock(CAME + 12 * DAY, since=CAME + 5 * DAY) == []


def test_who_left_before_it_came_gets_it_after_coming_back(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    rita = confirmed(RITA, newsletter, now=CAME)
    clock(datetime(2025, 6, 12, 4, 50, tzinfo=UTC))
    _leave(rita, CAME + 31 * HOUR)
    assert clock(CAME + 3 * DAY) == []
    confirmed(RITA, newsletter, now=CAME + 5 * DAY)
    assert clock(CAME + 12 * DAY, since=CAME + 5 * DAY) == [("Day 2", RITA)]


def test_the_database_refuses_a_second_one(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    rita = confirmed(RITA, newsletter, now=CAME).subscriber
    Letter.objects.create(kind="series", welcome=letter, subscriber=rita, state="uncertain")
    with pytest.raises(IntegrityError), transaction.atomic():
        Letter.objects.create(kind="series", welcome=letter, subscriber=rita)


def test_who_confirmed_before_it_was_on_gets_none(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter, now=ON - HOUR)
    written(newsletter, day=14)
    confirmed(BOB, newsletter, now=ON + HOUR)
    assert clock(ON + 20 * DAY, since=ON) == [("Day 14", BOB)]


def test_who_was_imported_gets_none(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    import_readers(RITA, newsletter=newsletter, at=CAME)
    assert clock(CAME + 5 * DAY) == []


def test_a_change_of_the_text_changes_what_leaves_later(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    confirmed(RITA, newsletter, now=CAME)
    clock(datetime(2025, 6, 12, 4, 50, tzinfo=UTC))
    letter.subject = "New words"
    welcome.save(letter=letter, actor=None, now=CAME + 31 * HOUR)
    assert clock(CAME + 3 * DAY) == [("New words", RITA)]
    letter.day = 5
    welcome.save(letter=letter, actor=None, now=CAME + 3 * DAY)
    assert clock(CAME + 9 * DAY, since=CAME + 3 * DAY) == []


def test_a_shorter_time_sends_nothing_to_those_who_came_long_ago(newsletter: Newsletter) -> None:
    letter = written(newsletter, day=60)
    confirmed(RITA, newsletter, now=CAME)
    letter.day = 2
    welcome.save(letter=letter, actor=None, now=CAME + 20 * DAY)
    assert clock(CAME + 22 * DAY, since=CAME + 20 * DAY) == []


class Killed(BaseException):
    """The process ends here."""


def test_a_sender_that_is_killed_gives_nobody_two_and_is_listed(
    newsletter: Newsletter, letter: WelcomeLetter, server: type[Server]
) -> None:
    confirmed(RITA, newsletter, now=CAME)
    server.says = Killed()
    died_at = datetime(2025, 6, 12, 5, 0, tzinfo=UTC)
    with pytest.raises(Killed):
        clock(died_at)
    server.says = None
    assert Letter.objects.get(kind="series").state == "attempting"
    assert clock(died_at + DAY, since=died_at) == []
    send.sweep(clock=lambda: died_at + HOUR)
    assert Letter.objects.get(kind="series").state == "uncertain"
    assert clock(died_at + 3 * DAY, since=died_at + HOUR) == []
    assert welcome.progress(newsletter=newsletter)[0].uncertain == 1


@rows(
    ("fault", "state"),
    [
        (smtplib.SMTPServerDisconnected("gone"), "uncertain"),
        (TimeoutError(), "uncertain"),
        (smtplib.SMTPDataError(451, b"4.3.0 later"), "pending"),
        (smtplib.SMTPRecipientsRefused({RITA: (550, b"5.1.1 no such user")}), "rejected"),
    ],
)
def test_only_what_the_server_refused_is_tried_again(
    newsletter: Newsletter, letter: WelcomeLetter, server: type[Server], fault: Exception, state: str
) -> None:
    confirmed(RITA, newsletter, now=CAME)
    server.says = fault
    clock(datetime(2025, 6, 12, 5, 0, tzinfo=UTC))
    assert Letter.objects.get(kind="series").state == state


def test_an_editor_sends_a_proof_and_no_reader_hears_of_it(newsletter: Newsletter, letter: WelcomeLetter) -> None:
    publisher = account("paula", "Publisher")
    welcome_proofs.send(letter=letter, to="paula@blocknews.org", language="", actor=publisher, now=CAME)
    (mail,) = Server.taken
    assert (mail.subject, mail.to) == ("[Proof] Day 2", ["paula@blocknews.org"])
    assert "List-Unsubscribe" not in mail.extra_headers
    assert not Letter.objects.exists()
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"welcome_letter_saved", "proof_sent"}
    with pytest.raises(PermissionDenied):
        welcome_proofs.send(letter=letter, to=RITA, language="", actor=account("ann", "Author"), now=CAME)
    with pytest.raises(PermissionDenied):
        welcome.save(letter=letter, actor=account("ben", "Author"), now=CAME)


def test_the_tick_plans_it(newsletter: Newsletter, letter: WelcomeLetter, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[datetime] = []
    monkeypatch.setattr(welcome, "plan_due", lambda *, now: planned.append(now))
    for minute in (9, 10):
        now = CAME.replace(minute=minute)
        monkeypatch.setattr(database_clock, "for_tick", lambda now=now: now)
        tasks.tick()
    assert planned == [CAME.replace(minute=10)]
