"""Who is erased goes from the lists that were uploaded before, and no such list brings them back."""

import gzip
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from publication import groups
from subscribers import erasure, import_erasure, import_jobs, import_refused, tasks
from subscribers.models import ImportJob, Newsletter, Subscriber
from tests.cast import BOB, RITA, account, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db
LIST = (
    f"email,name,note\r\nann@reader.org,Ann,\r\nRita@Reader.org,Rita Q,\r\n{BOB},Bob,friend of <{RITA}>\r\nnone,Cy,\r\n"
)


def upload(newsletter: Newsletter, content: bytes, *, started: bool = False) -> ImportJob:
    """A list that was looked at, or whose import was begun besides."""
    chief = account(f"chief{ImportJob.objects.count()}", groups.PUBLISHER)
    job = import_jobs.upload(
        file=SimpleUploadedFile("list.csv", content), newsletter=newsletter, cadence="daily", basis="On paper",
        everybody="", actor=chief, now=timezone.now(),
    )  # fmt: skip
    import_jobs.work(job_id=job.pk)
    job.refresh_from_db()
    if started:
        import_jobs.start(job=job, actor=chief)
    return job


def erase(key: str = RITA) -> None:
    erasure.erase(address_key=key, evidence=evidence(), actor=None, now=timezone.now())


def content(job: ImportJob) -> bytes:
    job.refresh_from_db()
    return gzip.decompress(bytes(job.content))


@rows("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_their_record_goes_and_the_address_from_notes_about_others(newsletter: Newsletter, encoding: str) -> None:
    job = upload(newsletter, LIST.encode(encoding))
    erase()
    tasks.tick()
    left = "email,name,note\r\nann@reader.org,Ann,\r\n\r\n" + f"{BOB},Bob,friend of <erased>\r\nnone,Cy,\r\n"
    assert content(job) == left.encode(encoding)
    assert import_erasure.clean() == 0


def test_a_record_over_several_lines_goes_as_a_whole_and_the_others_keep_their_lines(newsletter: Newsletter) -> None:
    text = f'email,note\n{RITA},"Rita\nof Naryn"\nnone,Cy\nann@reader.org,Ann'
    job = upload(newsletter, text.encode())
    erase()
    import_erasure.clean()
    assert content(job) == b"email,note\n\n\nnone,Cy\nann@reader.org,Ann"
    assert [row.line for row in import_jobs.refusals(job)] == [4]


def test_an_import_that_waits_or_has_begun_does_not_bring_them_in_even_if_they_come_back(
    newsletter: Newsletter, product: Newsletter
) -> None:
    begun, waiting = (upload(newsletter, LIST.encode(), started=started) for started in (True, False))
    erase()
    tasks.tick()
    confirmed(RITA, product)
    for job in (begun, waiting):
        if job == waiting:
            import_jobs.start(job=job, actor=job.created_by)  # type: ignore[arg-type]  # it has one
        import_jobs.work(job_id=job.pk)
        job.refresh_from_db()
        assert job.state == "done"
    assert set(newsletter.subscriptions.values_list("subscriber__address", flat=True)) == {"ann@reader.org", BOB}
    assert Subscriber.objects.filter(address=RITA).exists()


def test_refused_rows_are_given_out_without_them(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    text = f"email,name\n{RITA},{'x' * 200}\nnone,Cy\n"
    job = upload(newsletter, text.encode())
    assert [row.line for row in import_jobs.refusals(job)] == [2, 3]
    erase()
    import_erasure.clean()
    job.refresh_from_db()
    with import_jobs.opened(job) as source:
        import_refused.write(refusals=import_jobs.refusals(job), source=source, file=(out := StringIO()))
    assert "none" in out.getvalue()
    assert "xxx" not in out.getvalue()


def test_a_list_from_after_the_erasure_is_left_as_it_is_and_its_row_refused(newsletter: Newsletter) -> None:
    erase()
    job = upload(newsletter, LIST.encode())
    assert import_erasure.clean() == 0
    assert content(job) == LIST.encode()
    assert len(list(import_jobs.refusals(job))) == 2


def test_a_list_that_nobody_can_read_goes(newsletter: Newsletter) -> None:
    job = upload(newsletter, b"PK\x03\x04" + RITA.encode())
    assert job.state == "refused"
    erase()
    import_erasure.clean()
    assert content_is_gone(job)


def content_is_gone(job: ImportJob) -> bool:
    job.refresh_from_db()
    return bytes(job.content) == b""
