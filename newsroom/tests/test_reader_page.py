"""The reader's page at the desk: found by address, also when gone; each act by its verb, asked first, on record."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from digests import approval, composing
from mailkit import addresses
from publication import groups
from staff.audit_actions import AuditAction
from staff.models import AuditEvent
from subscribers import suppression
from subscribers.models import Cadence, ConsentEvent, Newsletter, Subscriber, Subscription, Suppression
from tests.cast import RITA, Publish, Staff, confirmed, signed_in

pytestmark = pytest.mark.django_db
FIND = "/admin/readers/"


@pytest.fixture
def rita(newsletter: Newsletter, texts: object) -> Subscriber:
    """A confirmed reader."""
    return confirmed(RITA, newsletter).subscriber


def words(response: Any) -> str:
    """The page on one line."""
    return " ".join(response.content.decode().split())


def found_as(client: Client, typed: str) -> Any:
    """What the form says to an address."""
    return client.post(FIND, {"address": typed})


def test_an_address_is_found_and_never_in_a_url(rita: Subscriber, staff: Staff) -> None:
    publisher = staff(groups.PUBLISHER)
    response = found_as(publisher, " Rita@Reader.org ")
    assert response["Location"] == f"/admin/readers/{rita.uuid}/"
    page = words(publisher.get(response["Location"]))
    assert RITA in page
    assert "Tech News" in page
    assert "Confirmed" in page
    assert f'href="/admin/readers/{rita.uuid}/erase/"' in page
    assert RITA in words(found_as(publisher, "rita@re"))
    assert "never subscribed" in words(found_as(publisher, "nobody@reader.org"))
    for role in (groups.AUTHOR, groups.EDITOR):
        assert staff(role).get(FIND).status_code == 403
        assert staff_again(role).get(f"/admin/readers/{rita.uuid}/").status_code == 403


def staff_again(role: str) -> Client:
    """The same account."""
    return signed_in(User.objects.get(username=role.lower()))


def test_her_copies_proof_and_data(rita: Subscriber, newsletter: Newsletter, publish: Publish, staff: Staff) -> None:
    publisher = staff(groups.PUBLISHER)
    publish("A window opens")
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
    approval.approve(issue=issue, actor=None, now=timezone.now())
    page = words(publisher.get(f"/admin/readers/{rita.uuid}/evidence/"))
    assert "every act below was checked" in page
    assert "Terms of use, version 1" in page
    data = publisher.get(f"/admin/readers/{rita.uuid}/data.json").json()
    assert data["address"] == RITA
    assert [event["kind"] for event in data["consent"]["events"]] == ["requested", "confirmed"]
    actions = AuditEvent.objects.filter(action=AuditAction.READER_EXPORTED).values_list("actor_name", flat=True)
    assert list(actions) == ["publisher", "publisher"], "both were asked for by name"


def test_each_act_asks_and_is_on_record(rita: Subscriber, staff: Staff) -> None:
    publisher = staff(groups.PUBLISHER)

    def do(name: str, **values: str) -> Any:
        address = f"/admin/readers/{rita.uuid}/{name}/"
        before = AuditEvent.objects.count()
        assert publisher.get(address).status_code == 200
        assert AuditEvent.objects.count() == before, "a GET only asks"
        return publisher.post(address, values)

    assert do("unsubscribe").status_code == 200, "no reason, no act"
    do("unsubscribe", reason="Rang us")
    assert Subscription.objects.get(subscriber=rita).state == Subscription.State.UNSUBSCRIBED
    event = ConsentEvent.objects.get(kind=ConsentEvent.Kind.WITHDRAWN)
    assert (event.source, event.basis) == ("admin", "Rang us")
    do("block", note="Asked for silence")
    assert suppression.is_suppressed(rita.address_key)
    do("lift", note="Was another Rita")
    assert not suppression.is_suppressed(rita.address_key)
    assert AuditEvent.objects.get(action=AuditAction.SUPPRESSION_LIFTED).detail["note"] == "Was another Rita"

    assert "not the address of this reader" in words(do("erase", address="bob@reader.org"))
    assert Subscriber.objects.filter(pk=rita.pk).exists()
    assert do("erase", address="RITA@reader.org")["Location"] == FIND
    assert not Subscriber.objects.filter(pk=rita.pk).exists()
    page = words(found_as(publisher, RITA))
    assert "Its reader was erased" in page
    assert "It is blocked since" in page
    row = Suppression.objects.get(address_hash=addresses.keyed_hash(rita.address_key))
    publisher.post(f"/admin/readers/blocked/{row.pk}/lift/", {"note": "Came back"})
    assert not Suppression.objects.exists()
    by_hand = AuditEvent.objects.exclude(action=AuditAction.LEGAL_TEXT_PUBLISHED)
    assert {event.actor_name for event in by_hand} == {"publisher"}
    assert not any(RITA in str(event.detail) + event.object_name for event in AuditEvent.objects.all())
