"""Keys in a real browser: a passkey is made with a (virtual) authenticator, opens the desk alone, and codes follow."""

from playwright.sync_api import Browser, Page, expect

from tests.browser import accessibility
from tests.browser.conftest import PATIENCE_MS
from tests.browser.stack import ADMIN, PASSWORD, Stack

TELEPHONE = 360
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def check(page: Page) -> None:
    """Axe finds nothing, and a telephone needs no scrolling to the side."""
    assert accessibility.faults(page, rules=None) == []
    assert accessibility.overflow(page, width=TELEPHONE) == 0, page.url


def sign_in_beside_a_story(page: Page) -> None:
    """The session ends while somebody writes: the passkey is asked on the page, and what was typed is stored."""
    page.goto("/admin/articles/article/add/")
    page.context.clear_cookies(name="sessionid")
    page.get_by_label("Headline").fill("Rates fall again")
    expect(page.locator("#story-saved")).to_contain_text("Your session has ended")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#story-saved")).to_contain_text("Kept at")
    expect(page.locator(".story-again")).to_be_hidden()


def test_a_passkey_is_added_and_opens_the_desk(site: Stack, chromium: Browser) -> None:
    # A passkey belongs to a name, and 127.0.0.1 is none.
    context = chromium.new_context(base_url=site.url.replace("127.0.0.1", "localhost"))
    context.set_default_timeout(PATIENCE_MS)
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    try:
        page.goto("/admin/login/")
        check(page)
        page.get_by_label("Name or address").fill(ADMIN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/admin/")
        page.goto("/admin/account/keys/")
        check(page)
        page.get_by_role("link", name="Add a passkey").click()
        page.get_by_role("button", name="Add the passkey").click()
        page.wait_for_url("**/recovery-codes/")
        expect(page.locator(".account-codes li")).to_have_count(10)
        check(page)
        page.goto("/admin/account/")
        expect(page.get_by_text("You sign in with a password and a second factor.")).to_be_visible()
        check(page)

        context.clear_cookies()
        page.goto("/admin/login/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url("**/admin/")

        context.clear_cookies()
        page.goto("/admin/login/")
        page.get_by_label("Name or address").fill(ADMIN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/keys/code/")
        check(page)
        page.get_by_role("button", name="Use your passkey").click()
        page.wait_for_url("**/admin/")
        sign_in_beside_a_story(page)
        # What is asked after the session ended is refused.
        assert [text for text in complaints if "401 (Unauthorized)" not in text] == []
    finally:
        site.manage("reset_second_factor", ADMIN)
        context.close()
