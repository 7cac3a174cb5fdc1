"""A publisher watches an issue leave: pause, resume, cancel, the rest, a correction; the page tells no untruth."""

import re

from playwright.sync_api import Page, expect

from tests.browser import accessibility, desk
from tests.browser import stack as stacks
from tests.browser.conftest import Opener

# The worker is busy with them for as long as somebody needs to press a button.
READERS = 9_000
BEGIN = f"""
import pathlib, tempfile
from django.utils import timezone
from digests import approval
from digests.models import Issue
from subscribers import imports
from subscribers.models import Newsletter
newsletter = Newsletter.objects.create(name="Watched", slug="watched", description="Watched.", is_open=False)
newsletter.offers.create(cadence="daily", send_at="07:00")
file = pathlib.Path(tempfile.mkdtemp()) / "readers.csv"
file.write_text("address\\n" + "\\n".join(f"watched-{{n}}@readers.example" for n in range({READERS})))
plan = imports.plan(newsletter=newsletter, cadence="daily", basis="A paper form")
imports.run(source=imports.open_source(path=file), plan=plan, actor=None, now=timezone.now())
issue = Issue.objects.create(newsletter=newsletter, subject="A rate that is wrong", introduction="It is 30 %.")
approval.approve(issue=issue, actor=None, now=timezone.now())
print(issue.pk)
"""


def check(page: Page) -> None:
    """Everybody can read the monitor, on a phone too."""
    assert accessibility.faults(page, rules=None, within=".monitor") == []
    assert accessibility.overflow(page, width=360) == 0


def give(page: Page, *, name: str, reason: str) -> None:
    """An action that asks why."""
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_label("Reason").fill(reason)
    page.locator("main, #main").get_by_role("button", name=name).click()


def test_an_issue_is_watched_to_its_end(site: stacks.Stack, open_page: Opener) -> None:
    page = open_page()
    desk.log_in(page)
    number = site.manage("shell", "-c", BEGIN).strip().splitlines()[-1]
    page.goto(f"/admin/digests/issue/{number}/change/")
    bar, headline = page.get_by_role("progressbar"), page.locator("#monitor-headline")
    # By itself: from being prepared to being sent, and the numbers move.
    expect(bar).to_be_visible()
    expect(page.locator(".monitor-main")).to_have_text("Pause")
    expect(bar).not_to_have_attribute("aria-valuenow", "0")

    give(page, name="Pause", reason="Let me look.")
    expect(headline).to_contain_text("to go")
    expect(page.locator(".monitor-main")).to_have_text("Resume")
    check(page)
    page.wait_for_timeout(22_000)  # longer than a lane may be silent

    desk.act(page, name="Resume")
    expect(page.locator(".monitor-main")).to_have_text("Pause")
    assert "has moved" not in page.locator("#progress").inner_text()

    give(page, name="Cancel", reason="The rate is wrong.")
    rest = page.get_by_role("link", name="Send the rest", exact=True)
    expect(rest).to_be_visible()
    got = re.fullmatch(rf"([\d,]+) of {READERS:,} got it\.", headline.inner_text())
    assert got, headline.inner_text()
    assert 0 < int(got[1].replace(",", "")) < READERS
    expect(page.get_by_role("progressbar")).to_have_count(0)
    check(page)

    page.get_by_role("link", name="Correct to those who got it").click()
    expect(page.get_by_label("Subject")).to_have_value("Correction: A rate that is wrong")
    page.goto(f"/admin/digests/issue/{number}/change/")

    desk.act(page, name="Send the rest")
    expect(headline).to_have_text(f"{READERS:,} of {READERS:,} got it.", timeout=120_000)
    expect(page.locator("#progress")).to_contain_text("The whole audience.")
