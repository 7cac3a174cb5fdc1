"""What an editor does in the browser, in every journey through the desk."""

import re

from playwright.sync_api import Page, expect

from tests.browser.stack import ADMIN, PASSWORD

COUNT = """addEventListener("click", (event) => {
    if (event.isTrusted) sessionStorage.clicks = 1 + Number(sessionStorage.clicks || 0);
}, true)"""


def log_in(page: Page) -> None:
    """Through the login form."""
    page.goto("/admin/")
    page.get_by_label("Name or address").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("link", name="Stories").first).to_be_visible()


def count_clicks(page: Page) -> None:
    """From now on, every click of a person in this tab counts."""
    page.add_init_script(COUNT)


def clicks(page: Page) -> int:
    """How many there were; the next count begins at none."""
    return int(
        page.evaluate("(() => { const n = sessionStorage.clicks || 0; sessionStorage.clicks = 0; return n; })()")
    )


def choose(page: Page, *, field: str, words: str) -> None:
    """Pick from a list that is searched while one types."""
    page.locator(f"#id_{field} + .select2").click()
    page.locator(".select2-search__field:focus").press_sequentially(words)
    page.locator(".select2-results__option", has_text=re.compile(rf"^{re.escape(words)}$")).click()


def act(page: Page, *, name: str) -> None:
    """Follow an action above the form, and press its button."""
    page.get_by_role("link", name=name).first.click()
    page.locator("main, #main").get_by_role("button", name=name).click()


def text(page: Page) -> str:
    """The story's text as the form would send it."""
    return page.locator("#id_body_markdown").input_value()


def type_at(page: Page, key: str, words: str) -> None:
    """Put the caret to the beginning or the end of the story's text, and type."""
    page.get_by_role("textbox", name="Text").focus()
    page.keyboard.press(f"Control+{key}")
    page.keyboard.type(words)


def save_by_key(page: Page) -> None:
    """Save the story, and wait until the form is there again."""
    token = page.locator("#id_copy").input_value()
    page.keyboard.press("Control+s")
    expect(page.locator("#id_copy")).not_to_have_value(token)


def publish(page: Page) -> None:
    """From the form of a draft by the page that asks, where each warning is accepted."""
    expect(page.locator(".story-state")).to_have_text("Draft")
    page.get_by_role("button", name="Publish…").click()
    page.wait_for_url("**/do/publish/**")
    for box in page.locator("[name=acknowledge]").all():
        box.check()
    page.locator("main, #main").get_by_role("button", name="Publish now").click()
    expect(page.locator(".story-state")).to_have_text("Published")
