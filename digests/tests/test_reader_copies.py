"""What a reader's own data says of the copies that were sent to them."""

import pytest
from django.test import Client

from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from subscribers import links
from subscribers.models import Newsletter

pytestmark = pytest.mark.django_db


def test_the_file_lists_the_copies_with_what_was_noted_of_them(client: Client, newsletter: Newsletter) -> None:
    anna, issue = copies.reader(newsletter), copies.issue(newsletter)
    mine = copies.copy(issue, anna, Delivery.State.ACCEPTED)
    copies.copy(issue, copies.reader(newsletter, "bob@readers.example"))
    DeliveryEvent.objects.create(
        provider="mailgun",
        event_id="1",
        kind="delivered",
        delivery_uuid=mine.uuid,
        issue=issue,
        occurred_at=copies.LEFT_AT,
    )
    token = links.preferences_token(subscriber=anna)
    listed = client.get(f"/preferences/{token}/data.json").json()["copies"]

    assert [(copy["newsletter_slug"], copy["issue"], copy["state"]) for copy in listed] == [
        ("tech-news", 1, "accepted")
    ]
    assert [event["kind"] for event in listed[0]["events"]] == ["delivered"]
    assert b"Tech News, \xe2\x84\x96 1" in client.get(f"/preferences/{token}/data/").content
