"""An editor's way: write, look, publish, compose, prove, approve; and the reader gets the digest."""

import re

from playwright.sync_api import Page, expect

from tests.browser import reading
from tests.browser.conftest import Opener
from tests.browser.desk import choose, log_in, publish

HEADLINE = "Bishkek Opens a Window for the Digital Som"
TEXT = "The pilot begins with **forty shops**.\n\n## What they say\n\n> It is still money.\n"
ADDRESS = "/articles/bishkek-opens-a-window-for-the-digital-som/"
SENDING_SECONDS = 180.0


def write_story(page: Page) -> None:
    """From the empty form to a saved draft."""
    page.goto("/admin/articles/article/add/")
    page.get_by_label("Headline").fill(HEADLINE)
    page.get_by_label("Standfirst").fill("Forty shops take part.")
    page.get_by_role("textbox", name="Text").fill(TEXT)
    choose(page, field="section", words="News")
    # Dated before the lead story, which another journey expects at the top of the front page.
    page.locator("#id_published_at_0").fill("2025-05-03")
    page.locator("#id_published_at_1").fill("09:00:00")
    expect(page.locator("#id_slug")).to_have_value("bishkek-opens-a-window-for-the-digital-som")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".story-state")).to_have_text("Draft")


def approve(page: Page) -> None:
    """From the composer by the page that shows what leaves, where each warning is accepted."""
    page.get_by_role("link", name="Approve and send", exact=True).click()
    expect(page.locator(".desk-approve")).to_contain_text(HEADLINE)
    for box in page.locator("[name=accepted]").all():
        box.check()
    page.get_by_role("button", name="Approve and send", exact=True).click()


def wait_until_sent(page: Page) -> None:
    """Look on: the issue's page keeps its numbers fresh, and shows the new state, by itself."""
    expect(page.locator("#progress")).to_be_visible()
    expect(page.get_by_text("Sent", exact=True).first).to_be_visible(timeout=SENDING_SECONDS * 1_000)
    expect(page.locator("#progress")).to_contain_text("The whole audience")


def look_at_the_draft(page: Page) -> None:
    """The page as readers would get it."""
    page.goto(page.get_by_role("link", name="Preview page").first.get_attribute("href") or "")
    expect(page.get_by_role("heading", level=1)).to_have_text(HEADLINE)
    expect(page.locator(".prose strong")).to_have_text("forty shops")


def compose(page: Page) -> str:
    """A digest by hand, looked at beside its stories and with its headers; its page."""
    page.goto("/admin/digests/issue/")
    page.get_by_role("link", name="Compose a digest").click()
    page.get_by_role("combobox").select_option(label=f"{reading.NEWSLETTER}, daily")
    page.get_by_role("button", name="Compose").click()
    page.wait_for_url("**/change/")
    issue = page.url
    # A headline of its own: the first story may be one that another journey has published.
    page.get_by_label("Subject", exact=True).fill(HEADLINE)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#unsaved")).to_be_hidden()
    expect(page.frame_locator("#look").locator("body")).to_contain_text(HEADLINE)
    page.get_by_role("link", name="Preview with headers").click()
    expect(page.frame_locator("iframe[title='The mail as HTML']").locator("body")).to_contain_text(HEADLINE)
    expect(page.locator("#plain-text")).to_contain_text(HEADLINE)
    return issue


def prove(page: Page, mail: Page) -> None:
    """A proof comes to a colleague."""
    page.get_by_role("link", name="Proof to others").click()
    page.get_by_label("Addresses").fill("colleague@example.org")
    page.get_by_role("button", name="Send a proof").click()
    reading.open_letter(mail, address="colleague@example.org", subject="")
    expect(mail.locator(".plain")).to_contain_text(HEADLINE)


def leave_by_one_click(reader: Page, mail: Page, *, program: Page) -> None:
    """As a mail program does, by the header of the digest (RFC 8058)."""
    reading.open_letter(mail, address="subscriber@example.org", subject=HEADLINE)
    expect(mail.locator(".plain")).to_contain_text(HEADLINE)
    mail.get_by_role("link", name="Headers").click()
    header = mail.locator("tr", has=mail.get_by_role("rowheader", name="List-Unsubscribe", exact=True)).locator("td")
    target = re.search(r"<(https?://[^>]+)>", header.inner_text())
    assert target, header.inner_text()
    response = program.request.post(target[1], form={"List-Unsubscribe": "One-Click"}, max_redirects=0)
    assert response.status == 200
    reader.goto(target[1])
    expect(reader.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")


def test_an_editor_writes_publishes_composes_and_sends(open_page: Opener) -> None:
    page, reader, mail = open_page(), open_page(), open_page()
    reading.subscribe(reader, mail, address="subscriber@example.org", cadence="daily")

    log_in(page)
    write_story(page)
    story = page.url
    look_at_the_draft(page)
    public = reader.goto(ADDRESS)
    assert public is not None
    assert public.status == 404, "a draft can be read"

    page.goto(story)
    publish(page)
    reader.goto(ADDRESS)
    expect(reader.get_by_role("heading", level=1)).to_have_text(HEADLINE)

    issue = compose(page)
    page.goto(issue)
    prove(page, mail)

    page.goto(issue)
    approve(page)
    wait_until_sent(page)
    leave_by_one_click(reader, mail, program=open_page())
