"""The admin under its Content-Security-Policy: no page of it asks for inline script, inline style or eval."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser import desk
from tests.browser.conftest import Opener

# Enough for one page of each kind: an address counts with its numbers left out.
MOST_PAGES = 120
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


def walk(page: Page) -> set[str]:
    """Visit one page of each kind that can be reached from the first; return the kinds."""
    waiting, kinds = ["/admin/?"], {"/admin/"}
    for _visit in range(MOST_PAGES):
        if not waiting:
            break
        page.goto(waiting.pop(0).removesuffix("?"))
        for address in links(page):
            kind = NUMBER.sub("N", address.partition("?")[0])
            if kind not in kinds and not LEFT_OUT.search(address):
                kinds.add(kind)
                waiting.append(address)
    return kinds


def test_no_page_of_the_admin_breaks_the_policy(open_page: Opener) -> None:
    """What breaks it is an error on the console, for which `open_page` fails the test."""
    page = open_page()
    desk.log_in(page)
    policy = page.request.get("/admin/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    kinds = walk(page)
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
