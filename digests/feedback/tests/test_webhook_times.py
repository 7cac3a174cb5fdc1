"""Times in reports: an old signature is refused, and an event with an unreadable time is kept."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from digests.feedback import processing, signatures
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from postal import providers
from subscribers.models import Newsletter, Subscription, Suppression
from tests.table import rows

KEY = "signing-key"
SECRET = {"Authorization": "Basic aG9vazp2ZXJ5LXNlY3JldA=="}
pytestmark = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")
Say = Callable[[str, object], HttpResponse]


@pytest.fixture
def copy(newsletter: Newsletter) -> Delivery:
    return copies.copy(copies.issue(newsletter), copies.reader(newsletter))


@pytest.fixture
def say(client: Client, settings: LazySettings, copy: Delivery) -> Say:
    """Post to /webhooks/<provider>/ what the provider would, with the secret and with its signature."""
    settings.ANYMAIL = {
        "WEBHOOK_SECRET": "hook:very-secret",
        "MAILGUN_WEBHOOK_SIGNING_KEY": KEY,
        "MAILERSEND_SIGNING_SECRET": KEY,
        "MANDRILL_WEBHOOK_KEY": KEY,
    }

    def post(provider: str, payload: object) -> HttpResponse:
        url = f"/webhooks/{provider}/"
        if provider == "mandrill":
            form = {"mandrill_events": json.dumps(payload)}
            text = f"http://hook:very-secret@testserver{url}mandrill_events{form['mandrill_events']}"
            mac = base64.b64encode(hmac.new(KEY.encode(), text.encode(), hashlib.sha1).digest()).decode()
            return client.post(url, form, headers=SECRET | {"X-Mandrill-Signature": mac})  # type: ignore[return-value]  # the test client's own
        body = json.dumps(payload)
        mac = hmac.new(KEY.encode(), body.encode(), hashlib.sha256).hexdigest()
        headers = SECRET | {"Signature": mac}
        return client.post(url, body, content_type="application/json", headers=headers)  # type: ignore[return-value]  # as above

    return post


def mailgun(copy: Delivery, *, when: object, signed_at: str | None = None) -> dict[str, Any]:
    stamp = signed_at if signed_at is not None else str(int(timezone.now().timestamp()))
    signature = hmac.new(KEY.encode(), f"{stamp}token".encode(), hashlib.sha256).hexdigest()
    event = {"event": "complained", "timestamp": when, "user-variables": {"delivery": str(copy.uuid)}}
    return {"signature": {"timestamp": stamp, "token": "token", "signature": signature}, "event-data": event}


# --- Signatures ----------------------------------------------------------------------------------


@rows(("minutes", "status"), [(0, 200), (-14, 200), (14, 200), (-16, 400), (16, 400), (-60 * 24 * 365, 400)])
def test_a_signature_is_valid_for_fifteen_minutes(say: Say, copy: Delivery, minutes: int, status: int) -> None:
    moment = timezone.now() + timedelta(minutes=minutes)
    payload = mailgun(copy, when=1_746_522_300, signed_at=str(int(moment.timestamp())))
    assert say("mailgun", payload).status_code == status
    assert DeliveryEvent.objects.count() == (status == 200)


@rows("stamp", ["", "soon", "nan", "inf", "-1e400", "1e300"])
def test_a_signature_without_a_time_is_none(say: Say, copy: Delivery, stamp: str) -> None:
    assert say("mailgun", mailgun(copy, when=1_746_522_300, signed_at=stamp)).status_code == 400
    assert not DeliveryEvent.objects.exists()


@pytest.mark.parametrize(
    ("provider", "header", "key"),
    [
        ("sendgrid", "X-Twilio-Email-Event-Webhook-Timestamp", "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY"),
        ("resend", "svix-timestamp", "RESEND_SIGNING_SECRET"),
    ],
)
@pytest.mark.parametrize(("minutes", "is_good"), [(0, True), (-14, True), (-16, False), (16, False)])
def test_the_time_in_a_header_is_looked_at_where_there_is_a_key(
    rf: Any, settings: LazySettings, provider: str, header: str, key: str, minutes: int, is_good: bool
) -> None:
    now = timezone.now()
    stamp = str(int((now + timedelta(minutes=minutes)).timestamp()))
    request = rf.post("/", "{}", content_type="application/json", headers={header: stamp})
    settings.ANYMAIL = {key: "key"}
    if is_good:
        signatures.check_time(provider=provider, request=request, now=now)
    else:
        with pytest.raises(signatures.OutOfTime):
            signatures.check_time(provider=provider, request=request, now=now)
    settings.ANYMAIL = {"WEBHOOK_SECRET": "hook:very-secret"}
    signatures.check_time(provider=provider, request=request, now=now)


# --- Times of events -----------------------------------------------------------------------------


def payloads(copy: Delivery, when: object) -> dict[str, object]:
    """A complaint in the words of each provider, or, where it has none, that the reader left or the mailbox is gone."""
    metadata, mailbox = {"delivery": str(copy.uuid)}, "anna@readers.example"
    sparkpost = {"type": "spam_complaint", "timestamp": when, "rcpt_meta": metadata, "event_id": "1"}
    email = {"message": {"id": "remote"}, "recipient": {"email": mailbox}}
    return {
        "brevo": {"event": "spam", "email": mailbox, "ts_epoch": when, "X-Mailin-custom": json.dumps(metadata)},
        "mailersend": {"type": "x", "data": {"id": "1", "type": "spam_complaint", "created_at": when, "email": email}},
        "mailgun": mailgun(copy, when=when),
        "mailjet": [{"event": "spam", "time": when, "email": mailbox, "Payload": json.dumps(metadata)}],
        "mailtrap": {"events": [{"event": "spam", "timestamp": when, "message_id": "m", "custom_variables": metadata}]},
        "mandrill": [{"event": "spam", "ts": when, "_id": "1", "msg": {"metadata": metadata}}],
        "postmark": {"RecordType": "SpamComplaint", "BouncedAt": when, "Email": mailbox, "Metadata": metadata},
        "sendgrid": [{"event": "spamreport", "timestamp": when, "sg_event_id": "1", "email": mailbox, **metadata}],
        "sparkpost": [{"msys": {"message_event": sparkpost}}],
    }


READABLE = set(providers.REPORTING) - {
    "amazon_ses",
    "postal",
    "resend",
    "unisender_go",
}  # keys and packages of their own
ODD: list[object] = ["soon", "", None, [], {}, True, -1e30, 1e30, "2025-99-99T00:00:00Z", "١٧٤٦", 10**400]


@pytest.mark.parametrize("provider", sorted(READABLE))
@pytest.mark.parametrize("when", ODD, ids=lambda when: str(when)[:20])
def test_a_time_that_cannot_be_read_costs_no_event(say: Say, copy: Delivery, provider: str, when: object) -> None:
    Delivery.objects.update(remote_id="remote")
    before = timezone.now()
    assert say(provider, payloads(copy, when)[provider]).status_code == 200
    event = DeliveryEvent.objects.get()
    assert event.kind == "complaint"
    assert before <= event.occurred_at <= timezone.now() or event.occurred_at.year <= 1970
    processing.settle(now=timezone.now())
    assert Suppression.objects.get().reason == "complaint"
    assert Subscription.objects.get().state == "unsubscribed"


def test_every_provider_is_among_them(copy: Delivery) -> None:
    assert set(payloads(copy, 0)) == READABLE


def test_the_other_events_of_a_request_keep_their_times(say: Say, copy: Delivery) -> None:
    one = {"event": "delivered", "sg_event_id": "1", "timestamp": 1_746_522_300, "delivery": str(copy.uuid)}
    assert say("sendgrid", [one, {**one, "sg_event_id": "2", "timestamp": "soon"}]).status_code == 200
    first, second = DeliveryEvent.objects.order_by("event_id")
    assert int(first.occurred_at.timestamp()) == 1_746_522_300
    assert second.occurred_at == second.received_at


def test_an_event_that_cannot_be_read_costs_no_other(
    say: Say, copy: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    one = {"event": "delivered", "sg_event_id": "1", "timestamp": 1_746_522_300, "delivery": str(copy.uuid)}
    assert say("sendgrid", [7, one, {"no": "event"}, None]).status_code == 200
    assert DeliveryEvent.objects.get().event_id == "1"
    assert "3 events of sendgrid could not be read" in caplog.text


def test_the_same_event_without_a_time_is_stored_once(say: Say, copy: Delivery) -> None:
    """Where the provider gives no id, what makes the event this one must not depend on when it arrived."""
    for _ in range(2):
        assert say("brevo", payloads(copy, "soon")["brevo"]).status_code == 200
    assert DeliveryEvent.objects.count() == 1
