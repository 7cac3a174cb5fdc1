"""What may be taken away as CSV: figures by who sees issues, addresses by who may export readers; all on the log."""

import csv
import io

import pytest
from django.test import Client
from django.utils import timezone

from digests import exports, issue_outcomes, stats
from digests.models import Delivery, Issue, LinkCount
from digests.tests import copies, multilingual
from staff.models import AuditEvent
from staff.reauthentication import PROVED_AT
from subscribers.models import Newsletter
from tests.cast import Staff

pytestmark = pytest.mark.django_db
State = Delivery.State


@pytest.fixture
def sent(newsletter: Newsletter) -> Issue:
    issue = copies.issue(newsletter, audience=3)
    Issue.objects.filter(pk=issue.pk).update(planned_at=copies.LEFT_AT)
    copies.copy(issue, copies.reader(newsletter, "=1+1@readers.example"), State.ACCEPTED)
    copies.copy(issue, None, State.REJECTED, reason="mailbox_full")
    copies.copy(issue, None, State.CANCELLED)
    copies.close(issue, state=Issue.State.CANCELLED)
    LinkCount.objects.create(issue=issue, hour=timezone.now(), url="https://example.org/", people=5, machines=2)
    issue.refresh_from_db()
    return issue


def taken(client: Client, page: str) -> list[list[str]]:
    response = client.post(page)
    assert response.status_code == 200, page
    return list(csv.reader(io.StringIO(response.getvalue().decode())))


def test_figures_add_up_and_addresses_are_for_few(
    sent: Issue, newsletter: Newsletter, staff: Staff, admin_client: Client
) -> None:
    editor = staff("Editor")
    pages = [f"/admin/digests/issue/{sent.pk}/{name}/" for name in ("figures", "copies")]
    pages.append(f"/admin/digests/issue/growth/{newsletter.pk}/csv/")

    figures = taken(editor, pages[0])
    assert sum(int(line[2]) for line in figures if line[0] == "copies") == stats.progress(sent).audience == 3
    assert ["clicks", "https://example.org/", "5", "2"] in figures
    lines = taken(admin_client, pages[1])
    assert lines[0] == list(exports.COPIES)
    # No formula for a spreadsheet; an erased reader has no address.
    assert {(line[0], line[1]) for line in lines[1:]} == {
        ("'=1+1@readers.example", "accepted"),
        ("", "rejected"),
        ("", "cancelled"),
    }
    grown = taken(editor, pages[2])
    assert ["readers", "", "1"] in grown
    assert editor.post(pages[1]).status_code == 403
    author = staff("Author")
    assert [author.post(page).status_code for page in pages[1:]] == [403, 403]
    acts = AuditEvent.objects.filter(action__endswith="exported").order_by("pk").values_list("action", "object_id")
    assert list(acts) == [
        ("figures_exported", str(sent.pk)),
        ("copies_exported", str(sent.pk)),
        ("figures_exported", str(newsletter.pk)),
    ]


def test_an_issue_in_several_languages_is_counted_in_each(sent: Issue, staff: Staff, admin_client: Client) -> None:
    multilingual.speak("ru", "de")
    page, editor = f"/admin/digests/issue/{sent.pk}", staff("Editor")
    assert not [line for line in taken(editor, f"{page}/figures/") if line[0].startswith("copies in")]
    sent.deliveries.filter(state=State.REJECTED).update(variant="ru")
    issue_outcomes.record(issue_id=sent.pk)

    lines = [line for line in taken(editor, f"{page}/figures/") if line[0].startswith("copies in")]
    assert {(what, state): copies for what, state, copies, _ in lines if copies != "0"} == {
        ("copies in en", "accepted"): "1", ("copies in en", "cancelled"): "1", ("copies in ru", "rejected"): "1",
    }  # fmt: skip
    assert {(line[1], line[4]) for line in taken(admin_client, f"{page}/copies/")[1:]} == {
        ("accepted", "en"), ("rejected", "ru"), ("cancelled", "en"),
    }  # fmt: skip


def test_the_password_is_asked_first(sent: Issue, staff: Staff) -> None:
    publisher = staff("Publisher")
    session = publisher.session
    session[PROVED_AT] = 0.0
    session.save()
    response = publisher.post(f"/admin/digests/issue/{sent.pk}/copies/")
    # A page that asks, and no line of the file.
    assert response["Content-Type"].startswith("text/html")
    assert "readers.example" not in response.content.decode()
    assert not AuditEvent.objects.filter(action="copies_exported").exists()
