"""Import and export at the desk: looked at first, imported by a worker that may die, refused rows sent in again."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from publication import groups
from staff.audit_actions import AuditAction
from staff.models import AuditEvent
from subscribers import import_jobs, import_reading, import_storing, suppression
from subscribers.models import ImportJob, Newsletter, Subscriber, Subscription, Suppression
from tests.cast import Readers, Staff, account, import_readers

pytestmark = pytest.mark.django_db
LIST = (
    "Email,Name,Unsubscribed\nann@reader.org,Ann,\nbob@reader.org,Bob,\nnot an address,Cy,\ndora@reader.org,Dora,yes\n"
)
FORM = {"cadence": "daily", "basis": "Paper forms at the fair", "everybody": ""}


def sent(client: Client, newsletter: Newsletter, text: str = LIST, **changes: str) -> Any:
    """What the page answers to an upload."""
    file = SimpleUploadedFile("list.csv", text.encode())
    return client.post("/admin/readers/import/", {**FORM, "newsletter": newsletter.pk, "file": file, **changes})


def words(response: Any) -> str:
    """The page on one line."""
    return " ".join(response.content.decode().split())


def test_a_list_is_looked_at_shown_and_imported(newsletter: Newsletter, staff: Staff) -> None:
    import_readers("bob@reader.org", newsletter=newsletter)
    publisher = staff(groups.PUBLISHER)
    assert "One of the two" in words(sent(publisher, newsletter, basis="")), "a basis is demanded"
    page = sent(publisher, newsletter)["Location"]
    assert 'data-refresh="2"' in words(publisher.get(page))
    job = ImportJob.objects.get()
    assert not import_jobs.work(job_id=job.pk)
    assert Subscriber.objects.count() == 1, "looking imports nobody"
    shown = words(publisher.get(page))
    assert "Import 1 reader" in shown
    for heading, cell in (("fresh", "ann@"), ("present", "bob@"), ("wrong", "not an address"), ("noes", "dora@")):
        assert cell in shown.partition(f'id="{heading}"')[2].partition("</section>")[0], heading

    publisher.post(page, {"start": ""})
    publisher.post(page, {"start": ""})
    import_jobs.work(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.imported, job.already_there, job.refused, job.said_no) == ("done", 1, 1, 2, 1)
    assert Subscription.objects.get(subscriber__address="ann@reader.org").consent_event.basis == FORM["basis"]  # type: ignore[union-attr]  # a confirmed one has it
    acts = AuditEvent.objects.filter(action=AuditAction.READERS_IMPORTED, detail__finished=True)
    assert [act.actor_name for act in acts if act.actor_name] == ["publisher"], "once, by name"

    refused = publisher.get(f"{page}refused.csv").getvalue().decode()
    again = sent(publisher, newsletter, refused.replace("not an address", "cy@reader.org"))["Location"]
    second = ImportJob.objects.latest("pk")
    import_jobs.work(job_id=second.pk)
    assert "Import 1 reader" in words(publisher.get(again)), "mended, the refused row is taken"


def test_a_worker_that_dies_is_followed_by_another(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch, staff: Staff
) -> None:
    monkeypatch.setattr(import_reading, "PORTION", 2)
    text = "email\n" + "".join(f"reader{number}@reader.org\n" for number in range(7))
    publisher = staff(groups.PUBLISHER)
    page = sent(publisher, newsletter, text)["Location"]
    job = ImportJob.objects.get()
    import_jobs.work(job_id=job.pk)
    publisher.post(page, {"start": ""})
    taken = import_storing.take

    def dies(*portion: Any, **options: Any) -> Any:
        if Subscriber.objects.count() >= 4:
            raise KeyboardInterrupt
        return taken(*portion, **options)

    monkeypatch.setattr(import_storing, "take", dies)
    with pytest.raises(KeyboardInterrupt):
        import_jobs.work(job_id=job.pk)
    monkeypatch.setattr(import_storing, "take", taken)
    assert not import_jobs.work(job_id=job.pk), "its lease keeps others away"
    assert import_jobs.due() == []
    ImportJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert import_jobs.due() == [job.pk]
    import_jobs.work(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.imported, job.already_there, job.lines) == ("done", 7, 0, 7)
    assert Subscription.objects.count() == 7
    ImportJob.objects.update(finished_at=timezone.now() - import_jobs.KEEP - timedelta(days=1))
    import_jobs.forget(now=timezone.now())
    assert not ImportJob.objects.get().content, "the list is not kept"
    assert publisher.get(page).status_code == 200


def test_an_import_ends_though_each_task_has_little_time(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch, staff: Staff
) -> None:
    monkeypatch.setattr(import_reading, "PORTION", 2)
    monkeypatch.setattr(import_jobs, "SECONDS_AT_ONCE", -1.0)
    text = "email,unsubscribed\nno@reader.org,yes\n" + "".join(f"reader{number}@reader.org,\n" for number in range(7))
    publisher = staff(groups.PUBLISHER)
    page = sent(publisher, newsletter, text)["Location"]
    job = ImportJob.objects.get()
    import_jobs.work(job_id=job.pk)
    assert "Import 2 readers" in words(publisher.get(page)), "as far as the look came"
    publisher.post(page, {"start": ""})
    tasks = 1
    assert import_jobs.work(job_id=job.pk)
    assert import_jobs.work(job_id=job.pk)
    shown = words(publisher.get(page))
    assert '<progress class="desk-progress" max="8" value="3"' in shown
    assert "3 of 8 records (37 %)." in shown
    while import_jobs.work(job_id=job.pk):
        tasks += 1
        assert tasks < 10, "each goes further than the one before"
    job.refresh_from_db()
    assert (job.state, job.imported, job.already_there, job.said_no) == ("done", 7, 0, 1)


def test_columns_are_chosen_where_the_file_does_not_say(newsletter: Newsletter, staff: Staff) -> None:
    publisher = staff(groups.PUBLISHER)
    page = sent(publisher, newsletter, "who,where\nAnn,ann@reader.org\n")["Location"]
    job = ImportJob.objects.get()
    import_jobs.work(job_id=job.pk)
    shown = words(publisher.get(page))
    assert "No column is known to hold the addresses" in shown
    assert '<option value="2">where</option>' in shown
    publisher.post(page, {"look": "", "address": "2", "names": ["1"]})
    import_jobs.work(job_id=job.pk)
    assert "Import 1 reader" in words(publisher.get(page))


def test_who_may_and_what_is_exported(newsletter: Newsletter, readers: Readers, staff: Staff) -> None:
    readers(2)
    import_readers("=cmd@reader.org", newsletter=newsletter)
    suppression.suppress(
        address_key="x@reader.org", reason=Suppression.Reason.MANUAL, actor=None, now=timezone.now()
    )  # fmt: skip
    editor, publisher = staff(groups.EDITOR), staff(groups.PUBLISHER)
    for address in ("/admin/readers/import/", "/admin/readers/export/"):
        assert editor.get(address).status_code == 403
        assert editor.post(address).status_code == 403
    response = publisher.post("/admin/readers/export/", {"newsletter": newsletter.pk, "state": "confirmed"})
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]  # a streamed response
    assert lines[0].startswith("address,name,language,newsletter")
    assert len(lines) == 4
    assert any(line.startswith("'=cmd@reader.org,") for line in lines), "no formula for a spreadsheet"
    assert AuditEvent.objects.get(action=AuditAction.READERS_EXPORTED).actor_name == "publisher"
    assert not AuditEvent.objects.filter(actor_id=account("other", groups.EDITOR).pk).exists()
