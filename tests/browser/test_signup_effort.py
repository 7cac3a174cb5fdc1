"""While nobody confirms, a reader's browser computes, or the reader waits; both get the letter."""

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Page

from tests.browser import stack as stacks
from tests.browser.conftest import Opener

COUNTED = """
from core import soft_cache
from subscribers import signup_breaker
soft_cache.write(signup_breaker.KEY, signup_breaker.Answers(sent={sent}, confirmed={sent} // 50), seconds=120)
"""


@contextlib.contextmanager
def tripped(site: stacks.Stack) -> Iterator[None]:
    site.manage("shell", "-c", COUNTED.format(sent=500))
    try:
        yield
    finally:
        site.manage("shell", "-c", COUNTED.format(sent=0))


def test_a_sign_up_under_attack(site: stacks.Stack, open_page: Opener) -> None:
    with tripped(site):
        for scripts in (True, False):
            page = open_page(java_script_enabled=scripts, expects={422})
            page.goto("/subscribe/")
            page.locator("main").get_by_label("Your e-mail address").fill(f"effort-{scripts}@example.org".lower())
            page.locator("main").get_by_role("button").click()
            page.locator("[name=newsletters]").first.check()
            page.locator("[name=consent]").check()
            press_until_taken(page)


def press_until_taken(page: Page) -> None:
    """Forms that are sent within two seconds come back, and so do those whose reader has not waited."""
    heading = page.get_by_role("heading", level=1)
    for _ in range(10):
        page.locator("main").get_by_role("button", name="Subscribe").click()
        page.wait_for_timeout(2_500)
        if heading.inner_text() == "Look in your inbox":
            return
    raise AssertionError(heading.inner_text())
