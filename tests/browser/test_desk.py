"""The desk on a telephone: its menu by keyboard, and a list that is imported."""

from playwright.sync_api import expect

from tests.browser import desk
from tests.browser.conftest import Opener

NARROW = {"width": 360, "height": 740}
LIST = "Email,Name\nann@reader.org,Ann\nnot an address,Bob\n"


def test_the_menu_is_used_by_keyboard_on_a_telephone_and_a_list_is_imported(open_page: Opener) -> None:
    page = open_page()
    desk.log_in(page)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # two numbers
    menu = page.get_by_role("button", name="Menu", exact=True)
    menu.focus()
    page.keyboard.press("Enter")
    readers = page.locator(".desk-menu__line", has_text="Readers")
    expect(readers).to_be_visible()
    readers.focus()
    page.keyboard.press("Escape")
    expect(readers).to_be_hidden()
    page.keyboard.press("Enter") if menu.evaluate("button => button === document.activeElement") else menu.click()
    readers.click()
    page.goto("/admin/readers/import/")
    page.get_by_label("Newsletter").select_option(label="Central Asia Brief")
    page.get_by_label("The list", exact=False).first.set_input_files(
        {"name": "list.csv", "mimeType": "text/csv", "buffer": LIST.encode()}
    )
    page.get_by_label("Where and how these people agreed").fill("Paper forms at the fair")
    page.get_by_role("button", name="Look at the list").click()
    page.get_by_role("button", name="Import 1 reader").click()
    expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    page.goto("/admin/readers/")
    page.get_by_label("E-mail address").fill("ann@reader.org")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("Paper forms at the fair")).to_be_visible()
    assert "ann" not in page.url
