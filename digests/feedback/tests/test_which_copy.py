"""Which copy a notice is about, when it was written, and that another notice is another event."""

from datetime import UTC, datetime, timedelta

import pytest

from digests.feedback import ingestion
from digests.feedback.ingestion import Arrival
from digests.feedback.tests import mails
from digests.feedback.tests.test_return_paths import FORGED
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from subscribers.models import Newsletter, Subscriber

STRANGER = "someone@mx.example"


def with_one_path(name: str, path: str, before: bytes) -> bytes:
    """A notice that holds `path` in the field named by `before` alone, and no Message-ID of the copy."""
    copy = Delivery()
    raw = mails.mail(name, copy, return_path=STRANGER).replace(b"Message-ID: <%b" % str(copy.uuid).encode(), b"X: <")
    assert before + STRANGER.encode() in raw
    return raw.replace(before + STRANGER.encode(), before + path.encode(), 1)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("postfix_gone", b"To: "),
        ("postfix_gone", b"\r\nReturn-Path: <"),
        ("yahoo_arf", b"Original-Mail-From: <"),
        ("outlook_jmrp", b"\r\nReturn-Path: <"),
        ("qmail", b"\r\n\r\nReturn-Path: <"),
    ],
)
def test_wherever_the_return_path_stands_it_names_the_copy(
    copy: Delivery, now: datetime, name: str, before: bytes
) -> None:
    """A mailbox does not tell to which address a mail was delivered."""
    raw = with_one_path(name, mails.return_path(copy), before)
    assert ingestion.take(raw=raw, now=now) is Arrival.RECORDED
    assert DeliveryEvent.objects.get().delivery_uuid == copy.uuid


@pytest.mark.parametrize("name", ["postfix_gone", "qmail", "yahoo_arf", "outlook_jmrp", "exchange_365"])
def test_a_forged_return_path_within_the_mail_is_ignored(copy: Delivery, now: datetime, name: str) -> None:
    assert ingestion.take(raw=mails.mail(name, copy, return_path=FORGED), now=now) is Arrival.IGNORED
    assert not DeliveryEvent.objects.exists()


BOUNCE = "postfix_gone"
ID = b"Message-ID: <notice-1@mx.example>"


@pytest.mark.parametrize(
    ("part", "other", "by_id", "without_id"),
    [
        (ID, b"Message-ID: <notice-7@mx.example>", Arrival.RECORDED, Arrival.RECORDED),
        (b"Action: failed", b"Action: delayed", Arrival.RECORDED, Arrival.RECORDED),
        (b"11:20:04 +0200", b"11:20:09 +0200", Arrival.REPEATED, Arrival.RECORDED),
        (b"Status: 5.1.1", b"Status: 5.2.1", Arrival.REPEATED, Arrival.RECORDED),
        (b"Subject: Undelivered", b"Subject: Returned", Arrival.REPEATED, Arrival.REPEATED),
    ],
)
def test_another_notice_about_the_copy_is_another_event(
    copy: Delivery, now: datetime, part: bytes, other: bytes, by_id: Arrival, without_id: Arrival
) -> None:
    """A notice's own id says enough; where there is none, its date and its words do."""
    raw = mails.mail(BOUNCE, copy)
    assert part in raw
    assert ingestion.take(raw=raw, now=now) is Arrival.RECORDED
    assert ingestion.take(raw=raw.replace(part, other), now=now) is by_id

    DeliveryEvent.objects.all().delete()
    assert ingestion.take(raw=raw.replace(ID, b"X: y"), now=now) is Arrival.RECORDED
    changed = raw.replace(ID, b"X: y", part != ID).replace(part, other)
    assert ingestion.take(raw=changed, now=now) is without_id


def test_one_notice_id_about_two_copies_is_two_events(copy: Delivery, newsletter: Newsletter, now: datetime) -> None:
    """A server that uses an id twice must not hide another reader's bounce."""
    other = copies.copy(copies.issue(newsletter), copies.reader(newsletter, "bert@readers.example"))
    for one, address in ((copy, "anna@readers.example"), (other, "bert@readers.example")):
        assert ingestion.take(raw=mails.mail(BOUNCE, one, reader=address), now=now) is Arrival.RECORDED
    assert set(DeliveryEvent.objects.values_list("delivery_uuid", flat=True)) == {copy.uuid, other.uuid}


@pytest.mark.parametrize(
    ("date", "occurred_at"),
    [
        ("Tue, 6 May 2025 11:20:04 +0200", datetime(2025, 5, 6, 9, 20, 4, tzinfo=UTC)),
        ("Tue, 6 May 2025 08:56:00 +0000", copies.LEFT_AT - timedelta(minutes=4)),
        ("Tue, 6 May 2025 08:50:00 +0000", None),
        ("Tue, 6 May 2125 11:20:04 +0200", None),
        ("Tue, 6 May 2025 09:20:04 -0000", None),
        ("yesterday", None),
        ("", None),
        ("Tue, 6 May 99999 11:20:04 +0200", None),
    ],
)
def test_a_notice_counts_from_when_it_was_written_unless_its_clock_is_absurd(
    copy: Delivery, now: datetime, date: str, occurred_at: datetime | None
) -> None:
    """No copy bounces before its issue leaves (a few minutes of wrong clock aside), nor in the future."""
    raw = mails.mail(BOUNCE, copy).replace(b"Date: Tue,  6 May 2025 11:20:04 +0200 (CEST)", b"Date: " + date.encode())
    ingestion.take(raw=raw, now=now)
    assert DeliveryEvent.objects.get().occurred_at == (occurred_at or now)


def test_of_another_mailbox_only_a_refusal_is_put_into_our_words(copy: Delivery, now: datetime) -> None:
    for name in ("postfix_delayed", BOUNCE):
        ingestion.take(raw=mails.mail(name, copy, reader="victim@strangers.example"), now=now)
    descriptions = DeliveryEvent.objects.order_by("pk").values_list("description", flat=True)
    assert ["another mailbox" in text for text in descriptions] == [False, True]
    assert descriptions[0].startswith("4.4.1")


@pytest.mark.parametrize("address", ["nobody", "anna@-", "@", "\x07@x"])
def test_a_notice_about_what_is_no_address_is_about_the_copy(
    copy: Delivery, reader: Subscriber, now: datetime, address: str
) -> None:
    assert ingestion.take(raw=mails.mail(BOUNCE, copy, reader=address), now=now) is Arrival.RECORDED
    assert DeliveryEvent.objects.get().delivery_uuid == copy.uuid
