"""The sweeper for letters: how long it goes on, over which connections, and whose letter it may settle."""

import smtplib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from core.reasons import Reason
from subscribers.letters import send
from subscribers.models import Letter, Newsletter, Suppression
from tests.cast import BOB, RITA, ask
from tests.table import rows

pytestmark = pytest.mark.django_db


class Session(BaseEmailBackend):
    """One connection to a mail server; after a fault it fails for ever, as SMTP's do."""

    opened: list["Session"] = []
    faults: list[Exception] = []

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sent, self.is_closed = list[EmailMessage](), False
        self.fault: Exception | None = None
        Session.opened.append(self)

    def send_messages(self, messages: Any) -> int:
        self.fault = self.fault or (Session.faults.pop() if Session.faults else None)
        if self.fault is not None:
            raise self.fault
        self.sent += messages
        return len(messages)

    def close(self) -> None:
        self.is_closed = True
        if self.fault is not None:
            raise smtplib.SMTPServerDisconnected


@pytest.fixture(autouse=True)
def letters(settings: Any, newsletter: Newsletter) -> Iterator[list[Letter]]:
    """Rita's and Bob's, waiting."""
    settings.EMAIL_BACKEND = f"{__name__}.Session"
    Session.opened, Session.faults = [], []
    for address in (RITA, BOB):
        ask(address, newsletter)
    yield list(Letter.objects.order_by("pk"))
    Session.opened, Session.faults = [], []


def states() -> list[str]:
    return list(Letter.objects.order_by("pk").values_list("state", flat=True))


def test_a_connection_that_saw_a_fault_is_not_used_again() -> None:
    Session.faults = [smtplib.SMTPServerDisconnected("421 going down")]
    assert send.sweep(clock=timezone.now) == 2
    assert states() == ["pending", "sent"]
    assert [len(one.sent) for one in Session.opened] == [0, 1]


def test_every_connection_is_closed_in_the_end() -> None:
    """Also one over which nothing can be said any more."""
    Session.faults = [smtplib.SMTPServerDisconnected(), smtplib.SMTPServerDisconnected()]
    send.sweep(clock=timezone.now)
    assert [one.is_closed for one in Session.opened] == [True] * 3


def test_the_sweeper_gives_its_place_to_others_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "SWEEP_SECONDS", 0.0)
    assert send.sweep(clock=timezone.now) == 0
    assert states() == ["pending", "pending"]


def test_who_has_claimed_a_letter_keeps_it_for_five_minutes(letters: list[Letter]) -> None:
    now = timezone.now()
    assert send._claim(letters[0].pk, now) is not None
    assert send.send(letter_id=letters[0].pk, now=now + send.LEASE - timedelta(seconds=1)) is None
    assert send._claim(letters[0].pk, now + send.LEASE) is not None


@pytest.mark.parametrize("settled", ["sent", "rejected"])
def test_a_letter_that_is_settled_stays_as_it_is(letters: list[Letter], settled: str) -> None:
    """Also when the same attempt says so: a person may have settled it meanwhile."""
    claimed = send._claim(letters[0].pk, timezone.now())
    assert claimed is not None
    Letter.objects.filter(pk=claimed.pk).update(state=settled, lease_until=None)
    send._settle(claimed, Letter.State.PENDING, Reason("other"), timezone.now())
    assert states()[0] == settled


def test_one_whose_claim_another_has_taken_over_settles_nothing(letters: list[Letter]) -> None:
    now = timezone.now()
    stale = send._claim(letters[0].pk, now)
    assert stale is not None
    assert send._claim(letters[0].pk, now + send.LEASE) is not None
    send._settle(stale, Letter.State.REJECTED, Reason("other"), now + send.LEASE)
    assert states()[0] == "attempting"


# --- A mailbox that is not there -----------------------------------------------------------------

GONE = (550, b"5.1.1 no such user")


def refuse(letter: Letter, reply: tuple[int, bytes]) -> None:
    Session.faults = [smtplib.SMTPRecipientsRefused({letter.subscriber.address: reply})]
    send.send(letter_id=letter.pk, now=timezone.now())


def prove(letter: Letter) -> None:
    letter.subscriber.subscriptions.update(confirmed_at=timezone.now())


def test_a_reader_who_confirmed_once_and_is_gone_is_suppressed(letters: list[Letter]) -> None:
    prove(letters[0])
    refuse(letters[0], GONE)
    assert states() == ["rejected", "pending"]
    row = Suppression.objects.get()
    assert (row.reason, row.address_hash) == ("hard_bounce", letters[0].subscriber.address_hash)


def test_an_address_that_was_only_typed_is_left_alone_and_not_locked_out(letters: list[Letter]) -> None:
    """Its owner may come tomorrow, and a suppressed mailbox gets no confirm link."""
    refuse(letters[0], GONE)
    assert states() == ["rejected", "pending"]
    assert not Suppression.objects.exists()


@rows(
    "reply", [(550, b"5.7.1 spam"), (550, b"on our block list"), (552, b"5.2.2 mailbox full"), (450, b"4.1.1 unknown")]
)
def test_any_other_refusal_suppresses_nobody(letters: list[Letter], reply: tuple[int, bytes]) -> None:
    prove(letters[0])
    refuse(letters[0], reply)
    assert not Suppression.objects.exists()
