"""A story's way in the browser: written and published in four clicks, commented, compared, moved in the calendar."""

import re

from playwright.sync_api import Page, expect

from tests.browser.accessibility import faults
from tests.browser.conftest import TELEPHONE, Opener
from tests.browser.desk import log_in, save_by_key, type_at


def dragged(page: Page, title: str, day: str) -> None:
    """Drag a story of the calendar to a day and wait until the page is there again."""
    entry = page.locator(".calendar-entry", has_text=title)
    entry.drag_to(page.locator(f'[data-day="{day}"] h3'))
    expect(page.locator(f'[data-day="{day}"]')).to_contain_text(title)


def write_and_publish(page: Page) -> None:
    """Three clicks and two fields from the list of stories."""
    page.goto("/admin/articles/article/")
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
    assert faults(page) == []


def test_from_an_empty_page_to_readers_and_through_a_review(open_page: Opener) -> None:
    page = open_page()
    log_in(page)
    write_and_publish(page)
    write_under_review(page)
    compare_versions(page)
    plan(page)


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page: Opener) -> None:
    page = open_page()
    log_in(page)
    page.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
    for address in ("/admin/calendar/", "/admin/calendar/?week=", "/admin/articles/article/?show=waiting"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
        assert faults(page) == []
