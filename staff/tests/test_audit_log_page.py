"""The audit log in the admin, as a file, and as `verify_audit` sees it."""

import csv
import io
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from publication import groups
from publication.models import Publication
from staff import audit, audit_heads, audit_sentences
from staff.audit_actions import AuditAction
from staff.models import AuditEvent
from tests import ownership
from tests.cast import Staff, account, signed_in

pytestmark = pytest.mark.django_db

PAGE = "/admin/staff/auditevent/"


@pytest.fixture
def paul(publication: Publication) -> Client:
    """A browser of Paul, a publisher, after an act of his and one of the clock."""
    user = account("paul", groups.PUBLISHER)
    changed = {"name": ["Old name", "=New name"]}
    audit.record(
        action=AuditAction.PUBLICATION_CHANGED, actor=user, target=publication, now=timezone.now(), changed=changed
    )
    audit.record(action=AuditAction.STORY_PUBLISHED, actor=None, target=publication, now=timezone.now())
    return signed_in(user)


def text(client: Client, query: str = "") -> str:
    return client.get(f"{PAGE}{query}").content.decode()


def test_entries_are_sentences_and_can_be_filtered(paul: Client) -> None:
    number = AuditEvent.objects.earliest("pk").actor_id
    whole = text(paul)
    mine, clocks = "paul changed the publication “Block News International”.", "The clock or a command published"
    assert mine in whole
    assert "name: “Old name” → “=New name”" in whole
    assert clocks in whole
    today = timezone.localdate()
    assert paul.get(f"{PAGE}?occurred_at_from=2020-13-01").status_code == 400
    for query, shows_mine in {
        f"?person={number}": True, "?person=0": False, "?action__exact=publication_changed": True,
        "?action__exact=story_published": False, "?object=digests.issue": False, "?q=Block": True, "?q=paul": True,
        f"?occurred_at_from={today}&occurred_at_to={today}": True, "?occurred_at_to=2020-01-01": False,
    }.items():  # fmt: skip
        assert (mine in text(paul, query)) is shows_mine, query


def test_an_export_has_the_entries_of_the_filters_and_is_recorded(paul: Client) -> None:
    assert paul.get(f"{PAGE}export/").status_code == 405
    response = paul.post(f"{PAGE}export/?action__exact=publication_changed")
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))  # type: ignore[attr-defined]  # it streams
    assert [row[2] for row in rows] == ["action", "publication_changed"]
    last = AuditEvent.objects.latest("pk")
    assert (last.action, last.actor_name) == (AuditAction.AUDIT_LOG_EXPORTED, "paul")
    assert last.detail == {"filters": {"action__exact": ["publication_changed"]}}


def test_it_is_for_publishers_and_nobody_writes_it(paul: Client, staff: Staff) -> None:
    event = AuditEvent.objects.latest("pk")
    for address in (PAGE, f"{PAGE}{event.pk}/change/"):
        assert paul.get(address).status_code == 200
        assert staff("Editor").get(address).status_code == 403 if address == PAGE else True
    assert signed_in(account("ada", "Author")).post(f"{PAGE}export/").status_code == 403
    for address in ("add/", f"{event.pk}/delete/"):
        assert paul.get(f"{PAGE}{address}").status_code == 403
    paul.post(PAGE, {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"})
    paul.post(f"{PAGE}{event.pk}/change/", {"actor_name": "bob"})
    assert AuditEvent.objects.get(pk=event.pk).hash == event.hash


def test_each_act_has_a_sentence() -> None:
    assert set(audit_sentences.SENTENCES) == set(AuditAction)
    for action in AuditAction:
        event = AuditEvent(action=action, actor_name="ada", object_name="This", detail={"reason": "A typo"})
        assert audit_sentences.sentence(event).startswith("ada ")
        assert audit_sentences.details(event) == ["Reason: A typo"]


def test_what_is_missing_at_the_end_is_noticed_by_the_heads(paul: Client, settings: Settings, tmp_path: Path) -> None:
    settings.CONSENT_HEADS = tmp_path
    assert audit_heads.anchor(now=timezone.now())
    assert not audit_heads.anchor(now=timezone.now())
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "2 entries, the audit log is intact." in out.getvalue()
    last = AuditEvent.objects.latest("pk")
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE staff_auditevent DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM staff_auditevent WHERE id = %s", [last.pk])
        cursor.execute("ALTER TABLE staff_auditevent ENABLE TRIGGER USER")
    assert len(list(audit.links())) == 1
    with pytest.raises(CommandError, match=f"ended with entry {last.pk}; that entry is gone"):
        call_command("verify_audit")
    (file,) = (tmp_path / "audit").iterdir()
    file.write_text(file.read_text().replace(f'"event": {last.pk}', f'"event": {last.pk - 1}'))
    with pytest.raises(CommandError, match="is not as it was written"):
        call_command("verify_audit")
