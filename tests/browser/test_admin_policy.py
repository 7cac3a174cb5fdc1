"""All pages of the admin: none asks for inline script, inline style or eval, and everybody can read the menu's."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import accessibility, desk
from tests.browser.conftest import Opener

# Enough for one page of each kind: an address counts with its numbers left out.
MOST_PAGES = 120
NARROW, WIDE = ViewportSize(width=360, height=740), ViewportSize(width=1440, height=900)
NUMBER = re.compile(r"\d+")
# Pages that answer with a file, end the session, or have another policy. And rows with JSON: where pygments is
# installed, as for the tests, unfold colours it by style attributes, which the policy then leaves without effect.
LEFT_OUT = re.compile(r"/logout/|/preview/|/export/|\.csv|/delete/|_popup=|/(snapshot|consentevent|auditevent)/\d")


def links(page: Page) -> list[str]:
    """The addresses of the admin that a page names."""
    hrefs: list[str] = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    host = urlsplit(page.url).netloc
    parts = [urlsplit(address) for address in hrefs]
    return [f"{part.path}?{part.query}" for part in parts if part.netloc == host and part.path.startswith("/admin/")]


def menu(page: Page) -> list[str]:
    """The addresses of its menu; lines below a line are shown when it is current."""
    hrefs: list[str] = page.eval_on_selector_all(
        ".desk-menu__line, .desk-menu__part", "links => links.map(link => link.getAttribute('href'))"
    )
    return hrefs


def walk(page: Page) -> Iterator[tuple[str, bool]]:
    """Visit each entry of the menu, and one page of each kind that can be reached: its kind, and whether it is one."""
    entries, waiting, kinds = ["/admin/"], list[str](), {"/admin/"}
    for visit in range(MOST_PAGES):
        is_entry = visit < len(entries)
        address = entries[visit] if is_entry else waiting.pop(0) if waiting else ""
        if not address:
            break
        if visit == len(entries):
            page.set_viewport_size(NARROW)
        page.goto(address.removesuffix("?"))
        yield NUMBER.sub("N", address.partition("?")[0]), is_entry
        entries += [other for other in dict.fromkeys(menu(page)) if is_entry and other not in entries]
        kinds.update(other.partition("?")[0] for other in entries)
        for other in links(page):
            kind = NUMBER.sub("N", other.partition("?")[0])
            if kind not in kinds and not LEFT_OUT.search(other):
                kinds.add(kind)
                waiting.append(other)


def faults(page: Page) -> list[str]:
    """Why not everybody can read it, by day, by night, and on a telephone."""
    broken = accessibility.faults(page, rules=accessibility.WITH_BEST_PRACTICE)
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme="dark")
    broken += accessibility.faults(page, rules=accessibility.OF_COLOURS)
    wide = page.evaluate("document.documentElement.scrollWidth") - NARROW["width"]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    return [*broken, f"{wide} pixels too wide"] if wide > 0 else broken


def test_no_page_breaks_the_policy_and_what_the_menu_has_can_be_read_by_all_and_fits_a_telephone(
    open_page: Opener,
) -> None:
    """What breaks the policy is an error on the console, for which `open_page` fails the test."""
    page = open_page(size=(WIDE["width"], WIDE["height"]), color_scheme="light", reduced_motion="reduce")
    desk.log_in(page)
    policy = page.request.get("/admin/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    broken: dict[str, list[str]] = {}
    kinds, entries = set[str](), list[str]()
    for kind, is_entry in walk(page):
        kinds.add(kind)
        if is_entry:
            entries.append(page.url)
            broken[page.url] = faults(page)
        elif (wide := page.evaluate("document.documentElement.scrollWidth") - NARROW["width"]) > 0:
            broken[page.url] = [f"{wide} pixels too wide"]
    assert not any(broken.values()), "\n".join(f"{address}: {line}" for address in broken for line in broken[address])
    assert not [kind for kind in kinds if kind.endswith("/history/")], "versions and the audit log say more"
    assert len(entries) > 25, entries
    assert len(kinds) > 40, sorted(kinds)
    assert "/admin/digests/issue/N/change/" in kinds


def test_what_opens_closes_and_changes_does_so_without_eval(open_page: Opener) -> None:
    page = open_page()
    desk.log_in(page)
    page.goto("/admin/articles/article/")
    page.locator("a", has_text="Filters").first.click()
    expect(page.locator("#changelist-filter")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#changelist-filter")).to_be_hidden()
    page.locator("input.action-select").first.check()
    expect(page.locator("#changelist-actions")).to_be_visible()
    page.goto("/admin/publication/publication/")
    page.locator("#main a", has_text="Mail").first.click()
    expect(page.locator("#id_sender_address")).to_be_visible()
    expect(page.locator("#id_name")).to_be_hidden()
    page.get_by_role("button", name="Dark").or_(page.get_by_text("Dark", exact=True)).first.evaluate("it => it.click()")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    page.reload()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
