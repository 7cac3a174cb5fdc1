"""The progress panel above an issue's form, which an open page refreshes."""

import re
from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from digests import approval, stalls, stats
from digests.models import Delivery, Issue
from digests.tests import copies, multilingual
from subscribers.models import Newsletter
from tests.cast import Staff
from tests.table import rows

State = Delivery.State


@pytest.fixture(autouse=True)
def counts_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cached or refreshed later because a busy machine takes long to count."""
    monkeypatch.setattr(stats, "EXPENSIVE_SECONDS", 60.0)
    monkeypatch.setattr(stats, "REST", 0)


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    """1,000 of 1,002 readers have it, one waits for another try, of one nobody knows."""
    issue = copies.issue(newsletter, audience=1_002)
    now = timezone.now()
    Issue.objects.filter(pk=issue.pk).update(planned_at=now, started_at=now)
    Delivery.objects.bulk_create([Delivery(issue=issue, state=State.ACCEPTED, settled_at=now) for _ in range(1_000)])
    copies.copy(issue, None, State.UNCERTAIN)
    copies.copy(
        issue,
        None,
        State.DEFERRED,
        reason="mailbox_full",
        reason_parameters={"said": "4.2.2 <b>full</b>"},
        due_at=now + timedelta(hours=1),
    )
    issue.refresh_from_db()
    return issue


def fragment(client: Client, issue: Issue) -> str:
    response = client.get(f"/admin/digests/issue/{issue.pk}/progress/")
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    return response.content.decode()


def table(html: str) -> dict[str, int]:
    """The states with their numbers, and their sum."""
    lines = BeautifulSoup(html, "html5lib").select(".monitor-table")[0].select("tbody tr, tfoot tr")
    cells = [[cell.get_text(strip=True) for cell in line.select("th, td")] for line in lines]
    return {state: int(number.replace(",", "")) for state, number, _words in cells}


def words(html: str) -> str:
    return re.sub(r"\s+", " ", BeautifulSoup(html, "html5lib").get_text(" ")).replace(" ,", ",")


def test_a_page_and_a_list_open_before_a_great_many_copies_are_counted(
    issue: Issue, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, page = staff("Publisher"), f"/admin/digests/issue/{issue.pk}/change/"
    monkeypatch.setattr(stats, "COUNTED_AT_ONCE", 1_000)
    monkeypatch.setattr(stats, "EXPENSIVE_SECONDS", -1.0)
    with CaptureQueriesContext(connection) as asked:
        opened = publisher.get(page).content.decode()
        listed = words(publisher.get("/admin/digests/issue/").content.decode())
    assert not [query for query in asked if "digests_delivery" in query["sql"] and "COUNT(" in query["sql"]]
    assert "Its copies are being counted." in opened
    assert "monitor-table" not in opened
    # It can be stopped meanwhile.
    assert "Pause" in words(opened)
    assert "… of 1,002" in listed
    assert table(fragment(publisher, issue))["Together"] == 1_002
    assert table(publisher.get(page).content.decode())["Together"] == 1_002
    assert "1,001 of 1,002" in words(publisher.get("/admin/digests/issue/").content.decode())


def test_copies_are_counted_in_each_language_that_they_are_in(
    issue: Issue, staff: Staff, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    multilingual.speak("ky", "ru")
    editor = staff("Editor")
    assert "Of each variant" not in fragment(editor, issue)
    states = [State.ACCEPTED] * 3 + [State.REJECTED]
    Delivery.objects.bulk_create(
        Delivery(issue=issue, state=state, variant=language) for language in ("ru", "ky") for state in states
    )
    table = BeautifulSoup(fragment(editor, issue), "html5lib").find("caption", string="Of each variant")
    assert table is not None
    assert table.parent is not None
    assert [[cell.get_text() for cell in row.select("th, td")] for row in table.parent.select("tbody tr")] == [
        ["English", "1,002", "1,000 accepted, 1 deferred, 1 uncertain"],
        ["Кыргызча", "4", "3 accepted, 1 rejected"],
        ["Русский", "4", "3 accepted, 1 rejected"],
    ]
    with django_assert_num_queries(2):
        stats.progress(issue)


def test_it_has_the_numbers_of_the_one_source(issue: Issue, staff: Staff) -> None:
    progress, shown = stats.progress(issue), words(fragment(staff("Publisher"), issue))

    assert "1,001 of 1,002 copies done, 1 to go" in shown
    assert f"{progress.time_left} left" in shown
    assert table(fragment(staff("Editor"), issue)) == {
        "Accepted": 1_000,
        "Deferred": 1,
        "Uncertain": 1,
        "Together": 1_002,
    }
    assert "The whole audience." in shown
    assert "4.2.2 <b>full</b>" in shown
    for diagnosis in stalls.diagnose(issue=issue, progress=progress, now=timezone.now()):
        assert diagnosis.why in shown
    for sentence in stats.limits():
        assert sentence in shown


def test_the_page_itself_begins_with_it(issue: Issue, staff: Staff) -> None:
    html = staff("Publisher").get(f"/admin/digests/issue/{issue.pk}/change/").content.decode()
    page = BeautifulSoup(html, "html5lib")

    panel = page.find(id="progress")
    assert panel is not None
    assert panel["data-source"] == f"/admin/digests/issue/{issue.pk}/progress/"
    assert panel["data-seconds"] == "2.0"
    assert page.find("script", src=re.compile("digests/progress"))
    bar = panel.find(role="progressbar")
    assert bar is not None
    assert [bar[f"aria-value{name}"] for name in ("min", "now", "max")] == ["0", "1001", "1002"]
    # One main button.
    assert [link.get_text() for link in panel.select("a.monitor-main")] == ["Pause"]
    # Without scripts the reader has to reload.
    assert "Reload the page" in str(page.find("noscript"))


def test_a_copy_too_few_is_an_alarm(issue: Issue, staff: Staff) -> None:
    Issue.objects.update(audience_count=1_003)

    shown = words(fragment(staff("Publisher"), issue))

    assert "The whole audience" not in shown
    assert "The audience was 1,003: the copies do not add up to it." in shown


@pytest.mark.parametrize(("group", "offered"), [("Publisher", True), ("Editor", False)])
def test_the_choices_over_uncertain_copies_are_for_who_may_send(
    issue: Issue, staff: Staff, group: str, offered: bool
) -> None:
    html = fragment(staff(group), issue)

    for name in ("accept", "resend"):
        assert (f"/do/{name}/" in html) is offered
    assert ("state__exact=uncertain" in html) is True


def test_the_choices_are_gone_with_the_last_uncertain_copy(issue: Issue, staff: Staff) -> None:
    publisher = staff("Publisher")
    before = BeautifulSoup(fragment(publisher, issue), "html5lib").find(id="progress")
    publisher.post(f"/admin/digests/issue/{issue.pk}/do/accept/")

    after = BeautifulSoup(fragment(publisher, issue), "html5lib").find(id="progress")

    assert before is not None
    assert after is not None
    assert "/do/accept/" not in str(after)


def test_a_cancelled_issue_says_who_got_it_and_is_no_full_bar(issue: Issue, staff: Staff) -> None:
    Delivery.objects.filter(state=State.DEFERRED).update(state=State.CANCELLED, due_at=None, settled_at=timezone.now())
    copies.close(issue, state=Issue.State.CANCELLED)

    page = BeautifulSoup(staff("Publisher").get(f"/admin/digests/issue/{issue.pk}/change/").content, "html5lib")

    headline, bar = page.find(id="monitor-headline"), page.select_one("svg.monitor-bar")
    assert headline is not None
    assert bar is not None
    assert headline.get_text() == "1,000 of 1,002 got it."
    widths = {str(rect["class"][0]): float(str(rect["width"])) for rect in bar.find_all("rect")}
    assert widths == pytest.approx({"monitor-got": 998.0, "monitor-uncertain": 1.0, "monitor-without": 1.0}, abs=0.05)


@rows(
    ("state", "seconds"),
    [("sending", "2.0"), ("paused", "15.0"), ("sent", "0.0"), ("sent_with_exceptions", "0.0"), ("cancelled", "2.0")],
)
def test_how_often_a_page_asks_again(issue: Issue, staff: Staff, state: str, seconds: str) -> None:
    """A cancelled one until its last copies in flight have their outcome."""
    Issue.objects.update(state=state)

    assert f'data-seconds="{seconds}"' in fragment(staff("Publisher"), issue)


def test_an_expensive_count_is_refreshed_less_often(
    issue: Issue, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "REST", 10_000_000)

    interval = re.search(r'data-seconds="([\d.]+)"', fragment(staff("Publisher"), issue))

    assert interval is not None
    assert float(interval[1]) > 100


def test_the_time_of_a_pause_is_not_counted_as_silence(issue: Issue, staff: Staff) -> None:
    """Right after a resume nothing could have moved yet, so nothing is said of it."""
    long_ago = timezone.now() - timedelta(minutes=50)
    Delivery.objects.filter(state=State.ACCEPTED).update(settled_at=long_ago)
    Delivery.objects.filter(state=State.DEFERRED).update(state=State.PENDING, due_at=None)
    Issue.objects.update(state="paused", started_at=long_ago, updated_at=long_ago)
    issue.refresh_from_db()

    approval.resume(issue=issue, actor=None, now=timezone.now())
    assert "has moved" not in words(fragment(staff("Publisher"), issue))

    Issue.objects.update(updated_at=long_ago)
    assert "Nothing has moved for 50 min" in words(fragment(staff("Editor"), issue))


def test_of_a_draft_there_is_nothing_to_show(digest: Issue, staff: Staff, now: datetime) -> None:
    assert "progress" not in fragment(staff("Publisher"), digest)


def test_strangers_see_nothing(issue: Issue, client: Client) -> None:
    assert client.get(f"/admin/digests/issue/{issue.pk}/progress/").status_code == 302
