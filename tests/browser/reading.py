"""What a reader does, for the journeys: sign up, look into the inbox."""

import re
import time

from playwright.sync_api import Locator, Page, expect

NEWSLETTER = "Block News Tech & Product Updates"
# The form refuses answers that come faster than a person can read it.
READING_SECONDS = 2.2
INBOX_SECONDS = 100.0


def form(page: Page) -> Locator:
    """The sign-up form of the page."""
    return page.locator("form.signup__form")


def begin(page: Page, *, address: str) -> None:
    """Give the address; the next page has what there is to choose."""
    form(page).get_by_label("Your e-mail address").fill(address)
    form(page).get_by_role("button", name="Continue").click()


def fill(page: Page, *, cadence: str = "daily") -> None:
    """Fill the second form in as a reader who agrees; it is not sent."""
    block = form(page)
    block.get_by_label(NEWSLETTER).first.check()
    block.get_by_label(f"How often {NEWSLETTER} comes").select_option(cadence)
    block.get_by_label("I agree").check()


def send(page: Page) -> None:
    """Press the button after the time that reading takes."""
    time.sleep(READING_SECONDS)
    form(page).get_by_role("button", name="Subscribe").click()


def open_letter(mail: Page, *, address: str, subject: str) -> None:
    """Wait in the local inbox for a mail to the address, and show its text."""
    wanted = mail.locator("ol.mails a").filter(has_text=address).filter(has_text=re.compile(subject))
    end = time.monotonic() + INBOX_SECONDS
    while True:
        mail.goto("/inbox/")
        if wanted.count():
            break
        assert time.monotonic() < end, f"No mail with {subject!r} came; there are: {mail.locator('main').inner_text()}"
        time.sleep(0.4)
    wanted.first.click()
    mail.get_by_role("link", name="Text").click()


def link(mail: Page, *, path: str) -> str:
    """The first address in the shown mail that leads to this part of the site."""
    target = mail.locator(f'.plain a[href*="{path}"]').first.get_attribute("href")
    assert target, f"no link to {path}"
    return target


def subscribe(page: Page, mail: Page, *, address: str, cadence: str = "daily") -> None:
    """From the front page to a confirmed subscription; `mail` is where the reader reads mail."""
    page.goto("/")
    begin(page, address=address)
    fill(page, cadence=cadence)
    send(page)
    expect(page.get_by_role("heading", name="Look in your inbox")).to_be_visible()
    open_letter(mail, address=address, subject="onfirm")
    page.goto(link(mail, path="/confirm/"))
    page.locator("main").get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are subscribed")
