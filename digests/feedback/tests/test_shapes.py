"""Every form in which mail comes back, and its effect."""

from datetime import datetime

import pytest

from digests.feedback import ingestion
from digests.feedback.ingestion import Arrival
from digests.feedback.tests import mails
from digests.models import Delivery, DeliveryEvent
from subscribers import suppression
from subscribers.models import Subscriber, Subscription
from tests.table import rows

# name -> the kind of the event, the copy's state afterwards, and why the address is suppressed, if it is
GONE = ("hard_bounce", "rejected", "hard_bounce")
POLICY = ("hard_bounce", "rejected", None)
LATER = ("soft_bounce", "uncertain", None)
LOST = ("soft_bounce", "rejected", None)
ANGRY = ("complaint", "uncertain", "complaint")
EFFECTS = {
    "arf_by_message_id": ANGRY,
    "arf_opt_out": ("unsubscribe", "uncertain", None),
    "exchange_365": GONE,
    "exchange_365_policy": POLICY,
    "exim": GONE,
    "exim_prose": GONE,
    "exim_unrouteable": LOST,
    "gmail": GONE,
    "outlook_jmrp": ANGRY,
    "postfix_delayed": LATER,
    "postfix_delivered": ("delivered", "accepted", None),
    "postfix_elsewhere": POLICY,
    "postfix_expired": LOST,
    "postfix_full": LOST,
    "postfix_generic_but_coded": POLICY,
    "postfix_gone": GONE,
    "postfix_headers_only": GONE,
    "postfix_no_code": GONE,
    "postfix_policy": POLICY,
    "qmail": GONE,
    "qmail_connection": LOST,
    "qmail_no_code": GONE,
    "rfc6533": GONE,
    "rfc6533_quoted_printable": GONE,
    "sendmail_charset": GONE,
    "yahoo_arf": ANGRY,
}
SILENT = ["arf_not_spam", "postfix_relayed", *(name for name in mails.NAMES if name.startswith("ignored_"))]


def test_the_whole_corpus_is_judged() -> None:
    assert sorted([*EFFECTS, *SILENT]) == mails.NAMES


@rows("name", EFFECTS)
def test_a_notice_becomes_its_event(copy: Delivery, reader: Subscriber, now: datetime, name: str) -> None:
    kind, state, reason = EFFECTS[name]

    assert ingestion.take(raw=mails.mail(name, copy), now=now) is Arrival.RECORDED

    event = DeliveryEvent.objects.get()
    assert (event.kind, event.delivery_uuid) == (kind, copy.uuid)
    assert event.provider == ("arf" if kind in {"complaint", "unsubscribe"} else "dsn")
    copy.refresh_from_db()
    assert copy.state == state
    suppressed = suppression.find(reader.address_hash)
    assert (suppressed and suppressed.reason) == reason


@rows("name", SILENT)
def test_what_reports_nothing_changes_nothing(copy: Delivery, reader: Subscriber, now: datetime, name: str) -> None:
    # A person's answer goes to the desk, whatever it quotes.
    outcome = Arrival.REPLIED if name == "ignored_reply" else Arrival.IGNORED
    assert ingestion.take(raw=mails.mail(name, copy), envelope_to=mails.return_path(copy), now=now) is outcome
    assert not DeliveryEvent.objects.exists()
    assert not suppression.is_suppressed(reader.address_key)


@rows("name", EFFECTS)
def test_the_same_notice_is_one_event_however_often_it_comes(copy: Delivery, now: datetime, name: str) -> None:
    raw = mails.mail(name, copy)
    ingestion.take(raw=raw, now=now)
    assert ingestion.take(raw=raw, envelope_to=mails.return_path(copy), now=now) is Arrival.REPEATED
    assert DeliveryEvent.objects.count() == 1


@rows("name", EFFECTS)
def test_no_address_is_kept_of_what_servers_write(copy: Delivery, now: datetime, name: str) -> None:
    ingestion.take(raw=mails.mail(name, copy), now=now)
    event = DeliveryEvent.objects.get()
    assert "@readers" not in event.description
    assert event.address_hash == ""


@pytest.mark.parametrize("name", ["yahoo_arf", "arf_opt_out"])
def test_who_complains_or_opts_out_has_left(copy: Delivery, now: datetime, name: str) -> None:
    ingestion.take(raw=mails.mail(name, copy), now=now)
    assert Subscription.objects.get().state == "unsubscribed"


def test_a_mailbox_that_someone_forwards_to_is_not_the_readers(
    copy: Delivery, reader: Subscriber, now: datetime
) -> None:
    """The notice names a stranger's address, which must not be suppressed on its word either."""
    ingestion.take(raw=mails.mail("postfix_gone", copy, reader="victim@strangers.example"), now=now)
    assert not suppression.is_suppressed(reader.address_key)
    assert not suppression.is_suppressed("victim@strangers.example")


OTHER = b"Diagnostic-Code: smtp; 250 ok\r\n\r\nFinal-Recipient: rfc822; b@x.example\r\nAction: delayed\r\nStatus: 4.4.1"


def test_of_several_recipients_the_readers_own_fate_counts(copy: Delivery, now: datetime) -> None:
    raw = mails.mail("postfix_gone", copy).replace(b"Remote-MTA: dns; mx.readers.example", OTHER, 1)
    ingestion.take(raw=raw, now=now)
    assert DeliveryEvent.objects.get().kind == "hard_bounce"


def test_of_several_strangers_fates_the_mildest_counts(copy: Delivery, now: datetime) -> None:
    raw = mails.mail("postfix_gone", copy, reader="c@x.example").replace(
        b"Remote-MTA: dns; mx.readers.example", OTHER, 1
    )
    ingestion.take(raw=raw, now=now)
    assert DeliveryEvent.objects.get().kind == "soft_bounce"
