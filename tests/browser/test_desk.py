"""The desk in a browser: every entry of the menu can be read by all and fits a telephone; a list is imported."""

from playwright.sync_api import Page, expect

from tests.browser import accessibility, desk
from tests.browser.conftest import Opener

NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1440, "height": 900}
LINKS = "links => links.map(link => link.getAttribute('href'))"
LIST = "Email,Name\nann@reader.org,Ann\nnot an address,Bob\n"


def entries(page: Page) -> list[str]:
    """Every address in the menu; lines below a line are shown when it is current."""
    waiting, seen = ["/admin/"], list[str]()
    while waiting:
        address = waiting.pop(0)
        if address in seen:
            continue
        seen.append(address)
        page.goto(address, wait_until="commit")
        page.locator("#nav-sidebar").wait_for(state="attached")
        waiting += page.eval_on_selector_all(".desk-menu__line, .desk-menu__part", LINKS)
    return seen


def test_every_entry_of_the_menu_can_be_read_by_all_and_fits_a_telephone(open_page: Opener) -> None:
    page = open_page(size=(WIDE["width"], WIDE["height"]), color_scheme="light", reduced_motion="reduce")
    desk.log_in(page)
    faults: dict[str, list[str]] = {}
    addresses = entries(page)
    assert len(addresses) > 25
    for address in addresses:
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]  # two numbers
        page.goto(address)
        here = accessibility.faults(page, rules=accessibility.WITH_BEST_PRACTICE)
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # two numbers
        page.emulate_media(color_scheme="dark")
        here += accessibility.faults(page, rules=accessibility.OF_COLOURS)
        if wide := accessibility.overflow(page, width=NARROW["width"]):
            here.append(f"{wide} pixels too wide")
        page.emulate_media(color_scheme="light")
        if here:
            faults[address] = here
    assert not faults, "\n".join(f"{address}: {line}" for address, lines in faults.items() for line in lines)


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
