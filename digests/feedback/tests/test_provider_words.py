"""Webhooks in each provider's own format: unsubscribes, complaints, hard bounces."""

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from digests.feedback import processing
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from subscribers.models import Letter, Newsletter, Subscription, Suppression
from tests.table import rows

pytestmark = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")
SECRET = {"Authorization": "Basic aG9vazp2ZXJ5LXNlY3JldA=="}
MAILBOX = "anna@readers.example"


@pytest.fixture
def copy(newsletter: Newsletter) -> Delivery:
    return copies.copy(copies.issue(newsletter), copies.reader(newsletter))


def say(client: Client, settings: LazySettings, provider: str, payload: object) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": "hook:very-secret"}
    body = json.dumps(payload)
    response = client.post(f"/webhooks/{provider}/", body, content_type="application/json", headers=SECRET)
    assert response.status_code == 200
    processing.settle(now=timezone.now())


def brevo(copy: Delivery, event: str, **fields: Any) -> dict[str, Any]:
    metadata = json.dumps({"delivery": str(copy.uuid)})
    return {"event": event, "email": MAILBOX, "ts_epoch": 1_746_522_300_000, "X-Mailin-custom": metadata, **fields}


def sendgrid(copy: Delivery, event: str, **fields: Any) -> list[dict[str, Any]]:
    given = {"sg_event_id": "1", "timestamp": 1_746_522_300, "email": MAILBOX, "delivery": str(copy.uuid)}
    return [{"event": event, **given, **fields}]


def mailjet(copy: Delivery, event: str, **fields: Any) -> list[dict[str, Any]]:
    given = {"time": 1_746_522_300, "email": MAILBOX, "Payload": json.dumps({"delivery": str(copy.uuid)})}
    return [{"event": event, **given, **fields}]


def postmark(copy: Delivery, record: str, **fields: Any) -> dict[str, Any]:
    return {"RecordType": record, "Email": MAILBOX, "Metadata": {"delivery": str(copy.uuid)}, **fields}


def sparkpost(copy: Delivery, kind: str, event: str, **fields: Any) -> list[dict[str, Any]]:
    given = {"event_id": "1", "timestamp": "1746522300", "rcpt_meta": {"delivery": str(copy.uuid)}}
    return [{"msys": {kind: {"type": event, **given, **fields}}}]


def mailtrap(copy: Delivery, event: str) -> dict[str, Any]:
    given = {"timestamp": 1_746_522_300, "message_id": "m", "custom_variables": {"delivery": str(copy.uuid)}}
    return {"events": [{"event": event, "email": MAILBOX, **given}]}


@pytest.mark.parametrize(
    ("provider", "word", "fields"),
    [
        ("brevo", "unsubscribed", {}),
        ("brevo", "unsubscribe", {}),
        ("mailjet", "unsub", {}),
        ("mailtrap", "unsubscribe", {}),
        ("postmark", "SubscriptionChange", {"SuppressSending": True, "SuppressionReason": "ManualSuppression"}),
        ("sendgrid", "unsubscribe", {}),
        ("sendgrid", "group_unsubscribe", {}),
        # The provider refused a copy because of its own unsubscribe list.
        ("sendgrid", "dropped", {"reason": "Unsubscribed Address"}),
        ("sparkpost", "list_unsubscribe", {}),
        ("sparkpost", "link_unsubscribe", {}),
    ],
)
def test_who_unsubscribes_at_the_provider_has_left(
    client: Client, settings: LazySettings, copy: Delivery, provider: str, word: str, fields: dict[str, Any]
) -> None:
    words: dict[str, Any] = {"brevo": brevo, "mailjet": mailjet, "postmark": postmark, "sendgrid": sendgrid}
    if provider == "sparkpost":
        payload: object = sparkpost(copy, "unsubscribe_event", word)
    else:
        payload = mailtrap(copy, word) if provider == "mailtrap" else words[provider](copy, word, **fields)
    say(client, settings, provider, payload)
    assert DeliveryEvent.objects.get().kind == "unsubscribe"
    assert Subscription.objects.get().state == "unsubscribed"
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("provider", "payload"),
    [
        ("sendgrid", lambda copy: sendgrid(copy, "dropped", reason="Spam Reporting Address")),
        ("mailjet", lambda copy: mailjet(copy, "blocked", error="spam reporter")),
        ("brevo", lambda copy: brevo(copy, "complaint")),
    ],
)
def test_who_complained_to_the_provider_has_complained(
    client: Client, settings: LazySettings, copy: Delivery, provider: str, payload: Any
) -> None:
    say(client, settings, provider, payload(copy))
    assert Suppression.objects.get().reason == "complaint"
    assert Subscription.objects.get().state == "unsubscribed"


NO_MAILBOX = "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)"


@rows(
    ("event", "reason", "kind", "is_suppressed"),
    [
        ("hard_bounce", NO_MAILBOX, "hard_bounce", True),
        # The provider's own word, where the server's say nothing, or there are none.
        ("hard_bounce", "550 5.0.0 refused", "hard_bounce", True),
        ("hard_bounce", "", "hard_bounce", True),
        ("hard_bounce", "550 5.7.1 your address is on our block list", "hard_bounce", False),
        ("hard_bounce", "552 5.2.2 mailbox full", "soft_bounce", False),
        ("soft_bounce", "", "soft_bounce", False),
        ("soft_bounce", NO_MAILBOX, "hard_bounce", True),
        ("blocked", "", "hard_bounce", False),
        ("invalid_email", "", "hard_bounce", True),
    ],
)
def test_a_hard_bounce_of_brevo_means_that_the_mailbox_is_gone(
    client: Client, settings: LazySettings, copy: Delivery, event: str, reason: str, kind: str, is_suppressed: bool
) -> None:
    say(client, settings, "brevo", brevo(copy, event, reason=reason))
    assert DeliveryEvent.objects.get().kind == kind
    assert Suppression.objects.exists() is is_suppressed


def test_who_unsubscribes_from_a_letter_has_left_what_it_was_about(newsletter: Newsletter) -> None:
    reader = copies.reader(newsletter)
    letter = Letter.objects.create(kind=Letter.Kind.WELCOME, subscriber=reader)
    letter.subscriptions.set(Subscription.objects.all())
    event = copies.event("unsubscribed", message_id=f"<{letter.uuid}@blocknews.example>")
    processing.record(event=event, provider="some", now=timezone.now())
    assert Subscription.objects.get().state == "unsubscribed"
