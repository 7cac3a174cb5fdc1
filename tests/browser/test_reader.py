"""A reader's way: the front page, a story, the form with faults and without, the letters, the way out."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import accessibility, reading
from tests.browser.conftest import Opener

HEADLINE = "Binance Co-Founder CZ Backs Kyrgyzstan’s Crypto Reserve with BTC and BNB"


def find_the_story(page: Page) -> None:
    """By searching: another journey may have published what leads now."""
    page.goto("/")
    expect(page.locator(".card--lead").get_by_role("heading")).to_be_visible()
    page.goto("/search/")
    page.get_by_role("combobox", name="Words to look for").fill(HEADLINE)
    page.locator("main").get_by_role("button", name="Search").click()
    page.get_by_role("link", name=HEADLINE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HEADLINE)
    story = page.locator("article.story")
    expect(story.locator(".kicker")).to_have_text("News")
    expect(story.locator(".story__about .byline")).to_contain_text("Staff Writer")
    expect(story.locator(".story__about time")).to_have_text("6 May 2025")
    expect(story.locator(".credit")).to_have_text("Illustration: Block News International")
    assert "placeholder" in (story.locator(".figure img").get_attribute("alt") or "").lower()


def sign_up(page: Page, *, address: str, scripts: bool) -> None:
    """Each step first with a fault, then without."""
    reading.begin(page, address="reader at example")
    look_at_faults(page, count=1, scripts=scripts)
    expect(reading.form(page).get_by_label("Your e-mail address")).to_have_value("reader at example")
    reading.begin(page, address=address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose what comes")
    reading.send(page)
    look_at_faults(page, count=2, scripts=scripts)
    expect(reading.form(page).get_by_label("Your e-mail address")).to_have_value(address)

    reading.fill(page, cadence="instant")
    reading.send(page)
    expect(page.get_by_role("heading", name="Look in your inbox")).to_be_visible()


def look_at_faults(page: Page, *, count: int, scripts: bool) -> None:
    """They are the title's, have the focus without a script, and each leads to a field that says it is wrong.

    Both kinds of reader get the same bytes; axe-core is a script and would wait for ever where none may run.
    """
    expect(page).to_have_title(re.compile("^Error: "))
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    if scripts:
        assert accessibility.faults(page, rules=accessibility.WITH_BEST_PRACTICE) == []
    places = [link.get_attribute("href") for link in summary.get_by_role("link").all()]
    assert len(places) == count, summary.inner_text()
    for place in places:
        field = page.locator(f"{place}[aria-invalid=true]")
        sentence = page.locator(f"#{field.get_attribute('aria-describedby')}")
        assert sentence.inner_text() in summary.inner_text()


def confirm(page: Page, mail: Page, *, address: str) -> None:
    """By the link of the letter; a second time it says so."""
    reading.open_letter(mail, address=address, subject="onfirm")
    page.goto(reading.link(mail, path="/confirm/"))
    link = page.url
    page.locator("main").get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are subscribed")
    expect(page.locator("main")).to_contain_text(reading.NEWSLETTER)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Already confirmed")


def choose_weekly(page: Page, mail: Page, *, address: str) -> None:
    """By the link to the preferences."""
    reading.open_letter(mail, address=address, subject="ubscribed|elcome")
    page.goto(reading.link(mail, path="/preferences/"))
    section = page.get_by_role("region", name=reading.NEWSLETTER)
    expect(section.get_by_role("radio", name="Each story")).to_be_checked()
    section.get_by_role("radio", name="Every").check()
    section.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(section.get_by_role("radio", name="Every")).to_be_checked()


def unsubscribe(page: Page, mail: Page, *, address: str) -> None:
    """By the link in a letter."""
    reading.open_letter(mail, address=address, subject="ubscribed|elcome")
    page.goto(reading.link(mail, path="/unsubscribe/"))
    page.locator("main").get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
def test_a_reader_comes_stays_and_leaves(open_page: Opener, *, scripts: bool) -> None:
    page, mail = open_page(java_script_enabled=scripts), open_page()
    address = f"reader-{scripts}@example.org".lower()
    find_the_story(page)
    sign_up(page, address=address, scripts=scripts)
    confirm(page, mail, address=address)
    choose_weekly(page, mail, address=address)
    unsubscribe(page, mail, address=address)
    assert page.context.cookies() == [], "a reader carries a cookie"


def test_the_form_can_be_sent_without_a_mouse(open_page: Opener) -> None:
    page = open_page()
    page.goto("/articles/digital-som-explained/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()

    def tab_to(selector: str) -> None:
        """Press Tab until the element has the focus; whatever has it on the way can be seen to have it."""
        for _ in range(80):
            page.keyboard.press("Tab")
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", page.evaluate("document.activeElement.outerHTML")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"Tab never reaches {selector}")

    tab_to("#signup_address")
    page.keyboard.type("keyboard@example.org")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose what comes")
    tab_to("[name=newsletters]")
    page.keyboard.press("Space")
    tab_to("select[name^=cadence_]")
    page.keyboard.press("w")
    tab_to("[name=consent]")
    page.keyboard.press("Space")
    page.wait_for_timeout(reading.READING_SECONDS * 1000)
    tab_to("button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look in your inbox")).to_be_visible()


def test_fresh_signup_and_known_address_get_the_same_page(open_page: Opener) -> None:
    page = open_page()
    answers = []
    for _ in range(2):
        page.goto("/subscribe/")
        reading.begin(page, address="twice@example.org")
        reading.fill(page)
        reading.send(page)
        expect(page.get_by_role("heading", name="Look in your inbox")).to_be_visible()
        answers.append(page.locator("main").inner_text())
    assert answers[0] == answers[1]
