"""The consent chain: append-only in the database, and tampering shows."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from subscribers import consent, signup
from subscribers.models import ConsentEvent, Newsletter, Subscription
from tests import ownership
from tests.cast import BOB, RITA, ask, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db


@contextmanager
def an_intruder(table: str = "subscribers_consentevent") -> Iterator[None]:
    """Somebody with the rights of the database's owner, who switches the triggers off."""
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.fixture
def chain(newsletter: Newsletter) -> list[ConsentEvent]:
    """Five acts of two people."""
    signup.unsubscribe(subscription=confirmed(RITA, newsletter), evidence=evidence(), reason="test", now=timezone.now())
    confirmed(BOB, newsletter)
    return list(ConsentEvent.objects.order_by("pk"))


def test_each_link_names_the_one_before(chain: list[ConsentEvent]) -> None:
    assert [event.kind for event in chain] == ["requested", "confirmed", "withdrawn", "requested", "confirmed"]
    assert chain[0].previous_hash == consent.GENESIS
    assert [event.previous_hash for event in chain[1:]] == [event.hash for event in chain[:-1]]
    assert consent.verify() is None


def test_an_update_is_refused_by_the_database(chain: list[ConsentEvent]) -> None:
    with pytest.raises(IntegrityError, match="append-only"), ownership.owner():
        ConsentEvent.objects.filter(pk=chain[0].pk).update(basis="rewritten")


def test_a_delete_is_refused_by_the_database(chain: list[ConsentEvent]) -> None:
    with pytest.raises(IntegrityError, match="append-only"), ownership.owner():
        ConsentEvent.objects.filter(kind="withdrawn")._raw_delete("default")


def test_a_truncate_is_refused_unless_a_test_database_allows_it(chain: list[ConsentEvent]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL newsroom.allow_truncate = off")
        with pytest.raises(IntegrityError, match="holds proof"), ownership.owner():
            cursor.execute("TRUNCATE subscribers_consentevent CASCADE")
    assert ConsentEvent.objects.count() == len(chain)


FORGERIES: list[dict[str, object]] = [
    {"kind": "requested"},
    {"newsletter_slug": "other"},
    {"cadence": "weekly"},
    {"documents": []},
    {"form_text": "I agree to everything."},
    {"address_hash": "0" * 64},
    {"source": "import"},
    {"basis": "they said so"},
    {"occurred_at": timezone.now() - timedelta(days=400)},
]


@rows("forgery", FORGERIES)
def test_a_changed_fact_is_found(chain: list[ConsentEvent], forgery: dict[str, object]) -> None:
    with an_intruder():
        ConsentEvent.objects.filter(pk=chain[1].pk).update(**forgery)

    broken = consent.verify()
    assert broken is not None
    assert broken.event_id == chain[1].pk


def test_a_removed_act_is_found(chain: list[ConsentEvent]) -> None:
    with an_intruder():
        Subscription.objects.update(state="unsubscribed", consent_event=None)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM subscribers_consentorigin WHERE event_id = %s", [chain[2].pk])
            cursor.execute("DELETE FROM subscribers_consentevent WHERE id = %s", [chain[2].pk])

    broken = consent.verify()
    assert broken is not None
    assert broken.event_id == chain[3].pk


def test_an_act_sealed_with_another_key_is_found(chain: list[ConsentEvent]) -> None:
    last = chain[-1]
    last.kind = "withdrawn"
    forged = consent.seal(last, key="the intruder's own")
    with an_intruder():
        ConsentEvent.objects.filter(pk=last.pk).update(kind="withdrawn", hash=forged)

    assert consent.verify() is not None


def test_two_links_cannot_follow_one(chain: list[ConsentEvent]) -> None:
    fork = ConsentEvent.objects.get(pk=chain[1].pk)
    fork.pk = None
    fork.hash = "f" * 64
    with pytest.raises(IntegrityError, match="consent_chain_does_not_fork"), transaction.atomic():
        fork.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_it_is_only_extended_in_a_transaction() -> None:
    act = consent.Act(kind=ConsentEvent.Kind.ERASED, subscriber_uuid=uuid.uuid4(), address_hash="0" * 64)
    with pytest.raises(transaction.TransactionManagementError):
        consent.append(acts=[act], evidence=evidence(), now=timezone.now())


def test_nothing_is_kept_when_the_transaction_fails(newsletter: Newsletter) -> None:
    with transaction.atomic():
        ask(RITA, newsletter)
        transaction.set_rollback(True)

    assert not ConsentEvent.objects.exists()


def test_text_that_no_column_can_hold_is_made_to_fit(newsletter: Newsletter) -> None:
    subscriber = ask(RITA, newsletter)
    odd = consent.Evidence(form_url="https://x/" + "a\x00" * 600, basis="\ud800", locale="x" * 50, source="y" * 90)
    consent.record(
        subscriber=subscriber, newsletter=newsletter, event=ConsentEvent.Kind.IMPORTED, evidence=odd, now=timezone.now()
    )

    assert consent.verify() is None


def test_the_command_is_content_with_a_whole_chain(chain: list[ConsentEvent]) -> None:
    out = StringIO()
    call_command("verify_consent", stdout=out)

    assert f"{len(chain)} consent events" in out.getvalue()
    assert chain[-1].hash in out.getvalue()


def test_the_command_names_the_first_broken_link(chain: list[ConsentEvent]) -> None:
    with an_intruder():
        ConsentEvent.objects.filter(pk__in=[chain[2].pk, chain[3].pk]).update(cadence="weekly")

    with pytest.raises(CommandError, match=f"event {chain[2].pk}") as failure:
        call_command("verify_consent")
    assert failure.value.returncode == 1


def test_an_empty_chain_is_whole(db: None) -> None:
    assert consent.verify() is None
    assert consent.head() == (0, consent.GENESIS)
