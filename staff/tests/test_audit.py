"""The audit log: append-only in the database, one transaction with the act, and tampering shows."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from publication.models import Publication
from staff import audit, audit_heads
from staff.audit_actions import AuditAction
from staff.models import AuditEvent
from tests import ownership
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor() -> User:
    return User.objects.create_user("ada", password="secret")


@pytest.fixture
def log(actor: User, publication: Publication) -> list[AuditEvent]:
    """Three acts: two of Ada, one of the clock."""
    for action, who in (
        (AuditAction.SIGNED_IN, actor),
        (AuditAction.PUBLICATION_CHANGED, actor),
        (AuditAction.STORY_PUBLISHED, None),
    ):
        audit.record(action=action, actor=who, target=publication, now=timezone.now(), fields=["name"])
    return list(AuditEvent.objects.order_by("pk"))


def test_an_act_names_its_actor_and_its_object(log: list[AuditEvent], actor: User) -> None:
    first, _, last = log
    assert (first.actor_id, first.actor_name) == (actor.pk, "ada")
    assert (first.object_type, first.object_id, first.object_name) == (
        "publication.publication", "1", "Block News International",
    )  # fmt: skip
    assert first.detail == {"fields": ["name"]}
    assert (last.actor_id, last.actor_name) == (None, "")


def test_each_link_names_the_one_before(log: list[AuditEvent]) -> None:
    assert [event.previous_hash for event in log[1:]] == [event.hash for event in log[:-1]]
    assert list(audit.links()) == log


def test_the_log_outlives_the_account(log: list[AuditEvent], actor: User) -> None:
    actor.delete()
    assert [event.actor_name for event in audit.links()] == ["ada", "ada", ""]


def test_an_act_that_is_rolled_back_leaves_no_entry(log: list[AuditEvent]) -> None:
    with transaction.atomic():
        audit.record(action=AuditAction.SIGNED_IN, actor=None, now=timezone.now())
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == len(log)


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        audit.record(action=AuditAction.SIGNED_IN, actor=None, now=timezone.now())


@pytest.mark.parametrize(
    "change", ["action = 'signed_in'", "actor_name = 'bob'", "object_name = 'Another'", "detail = '{}'"]
)
def test_a_change_behind_the_triggers_is_found(log: list[AuditEvent], change: str) -> None:
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE staff_auditevent DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE staff_auditevent SET {change} WHERE id = %s", [log[1].pk])  # noqa: S608  # our own words
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE staff_auditevent ENABLE TRIGGER USER")
    with pytest.raises(audit.ChainBroken, match="changed") as broken:
        list(audit.links())
    assert broken.value.event_id == log[1].pk


SWAP = (
    "UPDATE staff_auditevent SET id = -1 WHERE id = {0}; UPDATE staff_auditevent SET id = {0} WHERE id = {1};"
    "UPDATE staff_auditevent SET id = {1} WHERE id = -1"
)
COPY = (
    "INSERT INTO staff_auditevent SELECT (jsonb_populate_record(entry, jsonb_build_object("
    "'id', {2} + 9, 'previous_hash', hash, 'hash', repeat('0', 64)))).* FROM staff_auditevent entry WHERE id = {2}"
)
# What somebody does behind the triggers, and at which entry it shows; None: at the head that was kept.
FORGERIES = {
    "the first is deleted": ("DELETE FROM staff_auditevent WHERE id = {0}", 1),
    "one in the middle is deleted": ("DELETE FROM staff_auditevent WHERE id = {1}", 2),
    "the last is deleted": ("DELETE FROM staff_auditevent WHERE id = {2}", None),
    "all are deleted": ("DELETE FROM staff_auditevent", None),
    "two are swapped": (SWAP, 0),
    "the last is copied behind itself": (COPY, 3),
}


@rows("forgery", list(FORGERIES))
def test_verify_audit_says_where_the_log_was_forged(
    log: list[AuditEvent], settings: Settings, tmp_path: Path, forgery: str
) -> None:
    settings.CONSENT_HEADS = tmp_path
    assert audit_heads.anchor(now=timezone.now())
    statements, at = FORGERIES[forgery]
    ids = [event.pk for event in log]
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE staff_auditevent DISABLE TRIGGER USER")
        cursor.execute(statements.format(*ids))
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE staff_auditevent ENABLE TRIGGER USER")
    broken = f"Broken at entry {[*ids, ids[2] + 9][at]} " if at is not None else f"ended with entry {ids[2]}; that"
    with pytest.raises(CommandError, match=broken):
        call_command("verify_audit")


def test_a_deletion_is_refused_by_the_database(log: list[AuditEvent]) -> None:
    with pytest.raises(IntegrityError, match="append-only"), ownership.owner():
        AuditEvent.objects.filter(pk=log[1].pk)._raw_delete("default")
