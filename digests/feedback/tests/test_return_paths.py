"""A copy's own return path: short, signed, whatever a server does to its case, and on every copy."""

import uuid
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests import rendering
from digests.feedback import ingestion
from digests.feedback.ingestion import Arrival
from digests.feedback.tests import mails
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from postal import return_paths
from subscribers import suppression
from subscribers.models import Letter, Newsletter, Subscriber
from tests.table import rows


@given(st.uuids(), st.sampled_from([str, str.upper, str.title, str.swapcase]))
def test_a_return_path_survives_a_server_that_folds_its_case(named: uuid.UUID, fold: Any) -> None:
    address = return_paths.address(delivery_uuid=named, domain="bounces.example.org")
    local, _, domain = address.partition("@")
    assert len(local.encode()) <= 64
    assert domain == "bounces.example.org"
    [token] = return_paths.tokens_in(fold(address))
    assert return_paths.read(token) == named


@given(st.uuids(), st.integers(0, 51), st.sampled_from("0123456789abcdef"))
def test_a_return_path_that_was_changed_is_nobodys(named: uuid.UUID, at: int, digit: str) -> None:
    [token] = return_paths.tokens_in(return_paths.address(delivery_uuid=named, domain="x.example"))
    changed = token[:at] + digit + token[at + 1 :]
    assert (return_paths.read(changed) == named) is (changed == token)
    assert changed == token or return_paths.read(changed) is None


@given(st.text())
def test_no_text_breaks_the_reading_of_tokens(text: str) -> None:
    assert return_paths.read(text) is None
    assert [return_paths.read(token) for token in return_paths.tokens_in(text)] in ([], [None])


def test_a_forwarder_may_rewrite_the_address() -> None:
    named = uuid.uuid4()
    [token] = return_paths.tokens_in(f"SRS0=a1=B2=x.example={return_paths.address(delivery_uuid=named, domain='x')}")
    assert return_paths.read(token) == named


def test_a_return_path_of_a_former_key_is_read(settings: Any) -> None:
    address = return_paths.address(delivery_uuid=(named := uuid.uuid4()), domain="x.example")
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another key, which is long enough to be one"
    assert return_paths.read(return_paths.tokens_in(address)[0]) is None
    settings.SECRET_KEY_FALLBACKS = [former]
    assert return_paths.read(return_paths.tokens_in(address)[0]) == named


def test_a_return_path_of_last_week_is_read_by_this_weeks_program(settings: Any) -> None:
    """Bounces come for days after a copy left; so a token never changes, nor is it what another of our keys signs."""
    settings.SECRET_KEY = "a key that is long enough to be one, and known to all"
    named = uuid.UUID("01234567-89ab-4cde-8f01-23456789abcd")
    assert (
        return_paths.address(delivery_uuid=named, domain="x.example")
        == "bounces+0123456789ab4cde8f0123456789abcdb2b27211e6b4574c22ab@x.example"
    )


def test_the_way_out_by_mail_leads_to_where_returned_mail_is_read(newsletter: Newsletter, settings: Any) -> None:
    settings.RETURN_DOMAIN = mails.DOMAIN
    headers = dict(rendering.headers(issue=copies.issue(newsletter), subject="x"))
    assert (
        f"<mailto:unsubscribe+%%unsubscribe_code%%@{mails.DOMAIN}?subject=unsubscribe>" in headers["List-Unsubscribe"]
    )


FORGED = "bounces+" + "0" * 52 + "@" + mails.DOMAIN


@rows("name", ["postfix_gone", "qmail", "yahoo_arf", "outlook_jmrp", "exchange_365"])
def test_a_forged_return_path_is_ignored(copy: Delivery, reader: Subscriber, now: datetime, name: str) -> None:
    """Even when the Message-ID beside it is genuine."""
    raw = mails.mail(name, copy, return_path=FORGED)
    assert ingestion.take(raw=raw, envelope_to=FORGED, now=now) is Arrival.IGNORED
    assert not DeliveryEvent.objects.exists()
    assert not suppression.is_suppressed(reader.address_key)


@pytest.mark.parametrize("genuine", [True, False], ids=["signed", "by message id"])
def test_a_notice_about_no_copy_of_ours_is_ignored(copy: Delivery, now: datetime, genuine: bool) -> None:
    copy.uuid = uuid.uuid4()  # of a copy that the database does not know (any more)
    raw = mails.mail("postfix_gone", copy, return_path=None if genuine else "news@blocknews.example")
    assert ingestion.take(raw=raw, now=now) is Arrival.IGNORED
    assert not DeliveryEvent.objects.exists()


def test_without_return_paths_the_message_id_names_the_copy(copy: Delivery, now: datetime) -> None:
    ingestion.take(raw=mails.mail("postfix_gone", copy, return_path="news@blocknews.example"), now=now)
    assert DeliveryEvent.objects.get().delivery_uuid == copy.uuid


def test_a_letter_that_bounces_suppresses_its_reader(copy: Delivery, reader: Subscriber, now: datetime) -> None:
    letter = Letter.objects.create(kind=Letter.Kind.CONFIRM, subscriber=reader)
    copy.uuid = letter.uuid
    raw = mails.mail("postfix_gone", copy, return_path="news@blocknews.example")
    assert ingestion.take(raw=raw, now=now) is Arrival.RECORDED
    assert suppression.is_suppressed(reader.address_key)


def test_an_erased_reader_is_not_brought_back(copy: Delivery, reader: Subscriber, now: datetime) -> None:
    reader.delete()
    assert ingestion.take(raw=mails.mail("postfix_gone", copy), now=now) is Arrival.RECORDED
    event = DeliveryEvent.objects.get()
    assert (event.delivery_uuid, event.address_hash) == (copy.uuid, "")
    assert not Subscriber.objects.exists()
    assert not suppression.is_suppressed("anna@readers.example")


def test_one_copy_fills_no_table(copy: Delivery, now: datetime) -> None:
    raw = mails.mail("postfix_delayed", copy)
    outcomes = [ingestion.take(raw=raw.replace(b"notice-2@", b"n-%d@" % n), now=now) for n in range(25)]
    assert outcomes.count(Arrival.RECORDED) == ingestion.MOST_EVENTS_PER_COPY
    assert DeliveryEvent.objects.count() == ingestion.MOST_EVENTS_PER_COPY
