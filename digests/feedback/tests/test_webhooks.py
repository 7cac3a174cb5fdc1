"""/webhooks/<provider>/ over real HTTP: genuine reports are stored, forgeries are not."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from django.conf import LazySettings
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from digests.feedback import events, processing
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from subscribers.models import Newsletter, Suppression

KEY = "mailgun-signing-key"
TOKEN = "0123456789abcdef"
SECRET = "hook:very-secret"
State = Delivery.State
Post = Callable[..., requests.Response]


@pytest.fixture
def copy(transactional_db: None, newsletter: Newsletter) -> Delivery:
    return copies.copy(copies.issue(newsletter), copies.reader(newsletter))


@pytest.fixture
def mailgun(settings: LazySettings, live_server: LiveServer, copy: Delivery) -> Post:
    """Post to /webhooks/mailgun/ what Mailgun would."""
    settings.ANYMAIL = {"MAILGUN_WEBHOOK_SIGNING_KEY": KEY}

    def post(payload: object, **kwargs: Any) -> requests.Response:
        return requests.post(f"{live_server.url}/webhooks/mailgun/", json=payload, timeout=10, **kwargs)

    return post


@pytest.fixture
def postmark(settings: LazySettings, live_server: LiveServer, copy: Delivery) -> Post:
    """Post to /webhooks/postmark/, which proves itself by WEBHOOK_SECRET alone."""
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}

    def post(payload: object, *, secret: str | None = SECRET, **kwargs: Any) -> requests.Response:
        user, _, password = (secret or "").partition(":")
        auth = (user, password) if secret else None
        return requests.post(f"{live_server.url}/webhooks/postmark/", json=payload, auth=auth, timeout=10, **kwargs)

    return post


def signed(event: dict[str, Any], *, key: str = KEY, token: str = TOKEN) -> dict[str, Any]:
    """Mailgun's envelope: an HMAC-SHA256 over time and token."""
    timestamp = str(int(time.time()))
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": event}


def mailgun_event(kind: str, copy: Delivery, **fields: Any) -> dict[str, Any]:
    assert copy.subscriber is not None
    return {
        "event": kind,
        "timestamp": time.time(),
        "id": "changes-with-every-repeat",
        "recipient": copy.subscriber.address,
        "message": {"headers": {"message-id": "abc@mailgun.example"}},
        "user-variables": {"delivery": str(copy.uuid)},
        **fields,
    }


def work() -> None:
    """What a worker does a second after the response, or the tick within a minute."""
    processing.settle(now=timezone.now())


def state_of(copy: Delivery) -> str:
    work()
    return Delivery.objects.get(pk=copy.pk).state


# --- Mailgun: a signature --------------------------------------------------------------------


def test_mailgun_says_delivered(mailgun: Post, copy: Delivery) -> None:
    response = mailgun(signed(mailgun_event("delivered", copy)))

    assert response.status_code == 200
    assert not response.cookies
    assert state_of(copy) == State.ACCEPTED
    assert DeliveryEvent.objects.get().event_id == TOKEN


def test_mailgun_says_the_mailbox_is_gone(mailgun: Post, copy: Delivery) -> None:
    status = {"code": 550, "message": "550 5.1.1 <anna@readers.example> unknown", "description": ""}

    response = mailgun(
        signed(mailgun_event("failed", copy, severity="permanent", reason="bounce", **{"delivery-status": status}))
    )

    assert response.status_code == 200
    assert state_of(copy) == State.REJECTED
    assert Suppression.objects.get().reason == Suppression.Reason.HARD_BOUNCE
    assert "readers.example" not in DeliveryEvent.objects.get().description


def test_a_worker_is_woken_once_the_report_is_stored(
    mailgun: Post, copy: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[int] = []
    monkeypatch.setattr(processing, "wake_up", lambda: stored.append(DeliveryEvent.objects.count()))

    mailgun(signed(mailgun_event("delivered", copy)))
    mailgun(signed(mailgun_event("delivered", copy), key="guessed"))

    assert stored == [1]


def test_a_hundred_repeats_at_once_are_one_event(mailgun: Post, copy: Delivery) -> None:
    payload = signed(mailgun_event("complained", copy))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: mailgun(payload).status_code, range(100)))

    assert answers == [200] * 100
    work()
    assert DeliveryEvent.objects.count() == 1
    assert Suppression.objects.count() == 1


def test_the_order_of_arrival_does_not_matter(mailgun: Post, copy: Delivery) -> None:
    for number, kind in enumerate(["clicked", "complained", "delivered", "accepted"]):
        assert mailgun(signed(mailgun_event(kind, copy), token=f"{number}" * 20)).status_code == 200

    assert state_of(copy) == State.ACCEPTED
    assert sorted(DeliveryEvent.objects.values_list("kind", flat=True)) == ["click", "complaint", "delivered"]


def forged(copy: Delivery) -> dict[str, Any]:
    event = mailgun_event("complained", copy)
    good = signed(event)
    later = {**good["signature"], "timestamp": str(int(time.time()) + 1)}
    return {
        "another key": signed(event, key="guessed"),
        "another token": {**good, "signature": {**good["signature"], "token": "f" * 16}},
        "another time": {**good, "signature": later},
        "empty signature": {**good, "signature": {**good["signature"], "signature": ""}},
        "no signature": {"event-data": event},
        "signature of another type": {**good, "signature": {**good["signature"], "signature": {"a": 1}}},
        "letters that have no code": {**good, "signature": {**good["signature"], "token": "é\x00"}},
        "a list": [good],
        "a number": 7,
        "nothing": None,
    }


def test_a_forgery_writes_nothing(mailgun: Post, copy: Delivery) -> None:
    answers = {name: mailgun(payload) for name, payload in forged(copy).items()}

    assert {name: response.status_code for name, response in answers.items()} == dict.fromkeys(answers, 400)
    assert {response.text for response in answers.values()} == {"Not verified.", "Not readable."}
    assert state_of(copy) == State.UNCERTAIN
    assert DeliveryEvent.objects.count() == 0
    assert Suppression.objects.count() == 0


def test_a_token_that_was_used_proves_nothing_else(mailgun: Post, copy: Delivery) -> None:
    """Mailgun signs only time and token, so anyone who saw one request could reuse them in another."""
    seen = signed(mailgun_event("delivered", copy))
    mailgun(seen)

    response = mailgun({**seen, "event-data": mailgun_event("complained", copy)})

    assert response.status_code == 200
    work()
    assert Suppression.objects.count() == 0


def test_a_body_that_makes_no_sense_is_refused(mailgun: Post, live_server: LiveServer) -> None:
    bodies = [b"", b"{", b"\xff\xfe", b"[" * 50_000, b'{"signature": null}', b"token=a&timestamp=b&signature=c"]
    for body in bodies:
        for content_type in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            response = requests.post(
                f"{live_server.url}/webhooks/mailgun/", data=body, headers={"Content-Type": content_type}, timeout=10
            )
            assert (body[:20], content_type, response.status_code) == (body[:20], content_type, 400)
    assert DeliveryEvent.objects.count() == 0


def test_a_signed_event_that_makes_no_sense_is_refused(mailgun: Post) -> None:
    events_of_nothing: list[dict[str, Any]] = [{}, {"event": []}, {"event": {"a": 1}}]
    for event in events_of_nothing:
        assert (event, mailgun(signed(event)).status_code) == (event, 400)
    assert DeliveryEvent.objects.count() == 0


# --- Postmark: a shared secret ---------------------------------------------------------------


def postmark_bounce(copy: Delivery, **fields: Any) -> dict[str, Any]:
    assert copy.subscriber is not None
    return {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Email": copy.subscriber.address,
        "Details": "smtp;550 5.1.1 unknown",
        "BouncedAt": "2025-05-06T09:05:00Z",
        "Metadata": {"delivery": str(copy.uuid)},
        **fields,
    }


def test_postmark_says_the_mailbox_is_gone(postmark: Post, copy: Delivery) -> None:
    assert postmark(postmark_bounce(copy)).status_code == 200
    assert DeliveryEvent.objects.get().settled_at is None
    assert state_of(copy) == State.REJECTED
    assert Suppression.objects.count() == 1


def test_a_soft_bounce_of_postmark_is_soft(postmark: Post, copy: Delivery) -> None:
    postmark(postmark_bounce(copy, Type="SoftBounce", Details="try later"))

    assert DeliveryEvent.objects.get().kind == "soft_bounce"
    assert state_of(copy) == State.REJECTED
    assert Suppression.objects.count() == 0


def test_an_event_without_an_id_counts_once(postmark: Post, copy: Delivery) -> None:
    delivered = {
        "RecordType": "Delivery",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Recipient": "anna@readers.example",
        "DeliveredAt": "2025-05-06T09:05:00Z",
        "Metadata": {"delivery": str(copy.uuid)},
    }

    for _ in range(3):
        assert postmark(delivered).status_code == 200

    assert DeliveryEvent.objects.count() == 1


@pytest.mark.parametrize(("secret", "status"), [(None, 401), ("hook:guess", 400), ("other:very-secret", 400)])
def test_a_wrong_secret_writes_nothing(postmark: Post, copy: Delivery, secret: str | None, status: int) -> None:
    response = postmark(postmark_bounce(copy), secret=secret)

    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) is (status == 401)
    assert DeliveryEvent.objects.count() == 0


def test_postmark_payloads_that_are_something_else_store_nothing(postmark: Post) -> None:
    payloads: list[object] = [{}, [], 7, {"RecordType": "Inbound"}, {"FromFull": {}}]
    for payload in payloads:
        assert postmark(payload).status_code in {200, 400}
    assert DeliveryEvent.objects.count() == 0


# --- A batch: SendGrid, and one event of it that cannot be stored ----------------------------


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")
def test_one_event_that_cannot_be_stored_stops_no_other_and_asks_for_a_repeat(
    settings: LazySettings, live_server: LiveServer, copy: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    batch = [
        {"event": "delivered", "sg_event_id": f"id-{number}", "timestamp": 1, "delivery": str(copy.uuid)}
        for number in range(3)
    ]
    real = events._facts
    stumbled: list[str] = []

    def stumble_once(event: events.TrackingEvent, *rest: Any) -> dict[str, object]:
        if event.event_id == "id-1" and not stumbled:
            stumbled.append("id-1")
            raise ZeroDivisionError
        return real(event, *rest)

    monkeypatch.setattr(events, "_facts", stumble_once)

    def post() -> int:
        url = f"{live_server.url}/webhooks/sendgrid/"
        return requests.post(url, json=batch, auth=("hook", "very-secret"), timeout=10).status_code

    assert post() == 503
    assert set(DeliveryEvent.objects.values_list("event_id", flat=True)) == {"id-0", "id-2"}
    assert post() == 200
    assert DeliveryEvent.objects.count() == 3


def test_mandrill_signs_the_address_too(settings: LazySettings, live_server: LiveServer, copy: Delivery) -> None:
    settings.ANYMAIL = {"MANDRILL_WEBHOOK_KEY": "mandrill-key"}
    url = f"{live_server.url}/webhooks/mandrill/"
    sent = {"event": "spam", "ts": 1746522300, "_id": "1", "msg": {"metadata": {"delivery": str(copy.uuid)}}}
    form = {"mandrill_events": json.dumps([sent])}
    text = url + "".join(key + form[key] for key in sorted(form))
    signature = base64.b64encode(hmac.new(b"mandrill-key", text.encode(), hashlib.sha1).digest()).decode()

    forged_answer = requests.post(url, data=form, headers={"X-Mandrill-Signature": "AAAA"}, timeout=10)
    response = requests.post(url, data=form, headers={"X-Mandrill-Signature": signature}, timeout=10)

    assert (forged_answer.status_code, response.status_code) == (400, 200)
    work()
    assert Suppression.objects.get().reason == Suppression.Reason.COMPLAINT


# --- MailerSend: a signed body, and no metadata of ours in it ---------------------------------


def test_mailersend_names_the_copy_by_its_own_id(
    settings: LazySettings, live_server: LiveServer, copy: Delivery
) -> None:
    settings.ANYMAIL = {"MAILERSEND_SIGNING_SECRET": KEY}
    Delivery.objects.update(remote_id="62fb66bef54a112e920b5493")
    email = {"message": {"id": "62fb66bef54a112e920b5493"}, "recipient": {"email": "anna@readers.example"}}
    data = {"id": "event-1", "type": "delivered", "created_at": "2025-05-06T09:05:00.000000Z", "email": email}
    body = json.dumps({"type": "activity.delivered", "data": data}).encode()

    def post(sent: bytes) -> int:
        headers = {"Signature": hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()}
        return requests.post(
            f"{live_server.url}/webhooks/mailersend/", data=sent, headers=headers, timeout=10
        ).status_code

    assert post(body.replace(b"delivered", b"spam_complaint")) == 400
    assert DeliveryEvent.objects.count() == 0
    assert post(body) == 200
    assert state_of(copy) == State.ACCEPTED


# --- Logs ----------------------------------------------------------------------------------------


def test_no_secret_and_no_address_is_logged(mailgun: Post, copy: Delivery, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    mailgun(signed(mailgun_event("delivered", copy)))
    mailgun(signed(mailgun_event("failed", copy), key="guessed"))
    mailgun({"signature": {"token": KEY, "timestamp": "anna@readers.example", "signature": KEY}})

    ours = [record for record in caplog.records if not record.name.startswith("urllib3")]
    assert ours
    for record in ours:
        line = record.getMessage() + (record.exc_text or "")
        assert KEY not in line
        assert "readers.example" not in line
