"""An erasure, an export and an approval ask again who it is when the last proof is old, and keep what was typed."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from digests.tests import copies
from staff.models import AuditEvent
from subscribers.models import Newsletter, Subscriber, Subscription
from tests.cast import Readers, account, signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=20)


@pytest.fixture
def client() -> Client:
    return signed_in(account("petra", "Publisher"))


@pytest.fixture
def reader(readers: Readers) -> Subscriber:
    [subscription] = readers(1)
    assert isinstance(subscription, Subscription)
    return subscription.subscriber


def test_a_recent_sign_in_is_proof_enough(client: Client, reader: Subscriber) -> None:
    page = f"/admin/readers/{reader.uuid}/erase/"
    assert client.get(page).status_code == 200


@rows(("password", "gone"), [("", False), ("wrong", False), ("secret", True)])
def test_an_old_one_is_not(client: Client, reader: Subscriber, password: str, gone: bool) -> None:
    page = f"/admin/readers/{reader.uuid}/erase/"
    with time_machine.travel(timezone.now() + LATER, tick=True):
        assert "Is it you?" in client.get(page, follow=True).content.decode()
        response = client.post(page, {"address": reader.address, "password_again": password})
    assert Subscriber.objects.filter(pk=reader.pk).exists() is not gone
    if not gone:
        assert reader.address in response.content.decode(), "what was typed is kept"


def test_a_posted_export_goes_on_after_the_password(client: Client) -> None:
    address = "/admin/staff/auditevent/export/?q=petra"
    with time_machine.travel(timezone.now() + LATER, tick=True):
        page = client.post(address, {"more": ["one", "two"]})
        assert page.content.decode().count('name="more"') == 2
        assert page["Content-Type"].startswith("text/html")
        refused = client.post(address, headers={"X-Requested-With": "fetch"})
        assert (refused.status_code, refused.json()) == (403, {"reauthenticate": "/admin/account/reauthenticate/"})
        exported = client.post(address, {"more": "one", "password_again": "secret"})
        assert exported["Content-Type"].startswith("text/csv")
        assert b"".join(exported)
    assert AuditEvent.objects.filter(action="audit_log_exported").count() == 1


def test_ticked_copies_are_sent_again_after_the_password_only(client: Client, newsletter: Newsletter) -> None:
    copy = copies.copy(copies.issue(newsletter), None)
    posted = {"action": "send_again", "_selected_action": [copy.pk]}
    with time_machine.travel(timezone.now() + LATER, tick=True):
        assert "Is it you?" in client.post("/admin/digests/delivery/", posted).content.decode()
        copy.refresh_from_db()
        assert copy.state == "uncertain"
        client.post("/admin/digests/delivery/", posted | {"password_again": "secret"})
    copy.refresh_from_db()
    assert copy.state == "pending"


def test_a_paused_issue_goes_on_after_the_password_and_stops_without(client: Client, newsletter: Newsletter) -> None:
    issue = copies.issue(newsletter)
    address = f"/admin/digests/issue/{issue.pk}/do"
    with time_machine.travel(timezone.now() + LATER, tick=True):
        assert client.post(f"{address}/pause/", {"reason": "A wrong figure."}).status_code == 302
        assert "This field is required" in client.post(f"{address}/resume/").content.decode()
        assert client.post(f"{address}/resume/", {"password_again": "secret"}).status_code == 302
        issue.refresh_from_db()
        assert issue.state == "sending"


def test_it_cannot_be_guessed(client: Client, reader: Subscriber) -> None:
    page = f"/admin/readers/{reader.uuid}/erase/"
    with time_machine.travel(timezone.now() + LATER, tick=True):
        for _attempt in range(5):
            client.post(page, {"address": reader.address, "password_again": "wrong"})
        response = client.post(page, {"address": reader.address, "password_again": "secret"})
        assert "Too many attempts" in response.content.decode()
    assert Subscriber.objects.filter(pk=reader.pk).exists()
