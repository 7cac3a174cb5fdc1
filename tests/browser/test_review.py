"""A story's way in the browser: published in three clicks, commented, compared; it and an issue move by day."""

import re

from playwright.sync_api import Page, expect

from tests.browser import stack as stacks
from tests.browser.accessibility import faults
from tests.browser.conftest import TELEPHONE, Opener
from tests.browser.desk import clicks, count_clicks, log_in, save_by_key, type_at

LETTER = """
from datetime import UTC, datetime
from digests.models import Issue
from subscribers.models import Newsletter
newsletter = Newsletter.objects.get(name="Central Asia Brief")
at = datetime(2031, 5, 5, 2, tzinfo=UTC)
print(Issue.objects.create(
    newsletter=newsletter, subject="Gold this week", introduction="It rose.", scheduled_for=at
).pk)
"""


def dragged(page: Page, title: str, day: str) -> None:
    """Drag an entry of the calendar to a day and wait until it is there."""
    entry = page.locator(".calendar-entry", has_text=title)
    entry.drag_to(page.locator(f'[data-day="{day}"] h3'))
    expect(page.locator(f'[data-day="{day}"]')).to_contain_text(title)


def write_and_publish(page: Page) -> None:
    """Three clicks and two fields from the list of stories."""
    page.goto("/admin/articles/article/")
    clicks(page)
    # One: New. Two fields. Two: Publish. Three: the button of the page that asks.
    page.locator('a[href$="/articles/article/add/"]:visible').first.click()
    page.get_by_label("Headline").fill("Rates Fall Again")
    type_at(page, "Home", "By a quarter of a point.")
    page.get_by_role("button", name="Publish…").click()
    expect(page.locator(".story-forecast")).to_contain_text("Publishes now at /articles/rates-fall-again/.")
    expect(page.locator(".story-forecast")).to_contain_text("takes it")
    assert faults(page) == []
    page.get_by_role("button", name="Publish now").click()
    expect(page.locator(".story-state")).to_have_text("Published")
    assert clicks(page) == 3


def compose_and_approve(page: Page) -> None:
    """Four clicks and one field from the list of issues."""
    page.goto("/admin/digests/issue/")
    clicks(page)
    page.get_by_role("link", name="Compose a digest").click()
    page.get_by_label("Digest").select_option(label="Block News Tech & Product Updates, weekly")
    page.get_by_role("button", name="Compose").click()
    page.get_by_role("link", name="Approve and send").click()
    expect(page.locator("#audience")).to_contain_text("Leaves at once, to 24 readers.")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_text("The issue is approved.")).to_be_visible()
    assert clicks(page) == 4


def write_under_review(page: Page) -> None:
    """The checklist follows what is typed, a comment comes and is resolved without leaving the page."""
    page.goto("/admin/articles/article/add/")
    page.get_by_label("Headline").fill("Gold at TK dollars")
    type_at(page, "Home", "It rose.")
    expect(page.locator("#story-checklist")).to_contain_text("“TK” looks as if")
    save_by_key(page)
    page.locator("#story-comments summary").click()
    page.get_by_label("New comment").fill("Who says so?")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".story-comment")).to_contain_text("Who says so?")
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".story-comment.is-resolved")).to_have_count(1)
    page.get_by_label("Headline").fill("Gold at 4,000 dollars")
    save_by_key(page)
    expect(page.locator("#story-checklist")).not_to_contain_text("“TK”")
    assert faults(page) == []


def compare_versions(page: Page) -> None:
    """What was changed is marked by words."""
    page.get_by_role("link", name="Versions").click()
    expect(page.locator(".story-diff del").first).to_contain_text("TK")
    expect(page.locator(".story-diff ins").first).to_contain_text("4,000")
    assert faults(page) == []


def plan(page: Page) -> None:
    """In the calendar: by the form, then by drag."""
    page.get_by_role("link", name="Back to the story").click()
    page.wait_for_url("**/change/**")
    story = re.search(r"article/(\d+)/", page.url)
    assert story is not None
    page.goto("/admin/calendar/")
    days = [day.get_attribute("data-day") or "" for day in page.locator(".calendar-day").all()]
    page.goto(f"/admin/calendar/{story[1]}/move/")
    page.get_by_label("Day").fill(days[20])
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator(f'[data-day="{days[20]}"]')).to_contain_text("Gold at 4,000 dollars")
    dragged(page, "Gold at 4,000 dollars", days[22])
    expect(page.get_by_text("“Gold at 4,000 dollars” is planned for")).to_be_visible()
    assert faults(page) == []


def move_an_issue(page: Page, number: str) -> None:
    """A draft by drag, at once; an approved one by drag and a button; never into the past."""
    page.goto("/admin/calendar/?week=2031-05-05")
    dragged(page, "Gold this week", "2031-05-08")
    expect(page.get_by_text("“Gold this week” leaves Thursday 8 May 2031, 08:00")).to_be_visible()
    page.goto(f"/admin/digests/issue/{number}/do/approve/")
    for box in page.locator("[name=accepted]").all():
        box.check()
    page.get_by_role("button", name="Approve and send").click()
    page.goto("/admin/calendar/?week=2031-05-05")
    page.locator(".calendar-entry", has_text="Gold this week").drag_to(page.locator('[data-day="2031-05-09"] h3'))
    expect(page.get_by_text("It leaves Thursday 8 May 2031, 08:00")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Day").fill("2020-05-09")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("Choose a day within the next ten years")).to_be_visible()
    page.get_by_label("Day").fill("2031-05-09")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("“Gold this week” leaves Friday 9 May 2031, 08:00")).to_be_visible()
    page.goto("/admin/calendar/?week=2031-05-05")
    expect(page.locator('[data-day="2031-05-09"]')).to_contain_text("Gold this week")


def test_from_an_empty_page_to_readers_and_through_a_review(site: stacks.Stack, open_page: Opener) -> None:
    page = open_page()
    count_clicks(page)
    log_in(page)
    write_and_publish(page)
    compose_and_approve(page)
    write_under_review(page)
    compare_versions(page)
    plan(page)
    move_an_issue(page, site.manage("shell", "-c", LETTER).strip().splitlines()[-1])


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page: Opener) -> None:
    page = open_page()
    log_in(page)
    page.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
    for address in ("/admin/calendar/", "/admin/calendar/?week=", "/admin/articles/article/?show=waiting"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
        assert faults(page) == []
