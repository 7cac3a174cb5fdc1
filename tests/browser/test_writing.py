"""A writer's day: the page beside the text, a lost connection, a session that ends, a colleague in the same story."""

from playwright.sync_api import Page, expect

from tests.browser.accessibility import faults
from tests.browser.conftest import TELEPHONE, Opener
from tests.browser.desk import choose, log_in, save_by_key, text, type_at
from tests.browser.stack import PASSWORD

PICTURE_OF_PAGE = "The story as readers would see it"
STORED = "Kept at"
ENDED = 401


def begin(page: Page) -> None:
    """A new story: what is typed is counted, and kept though nobody saved it."""
    page.goto("/admin/articles/article/add/")
    expect(page.get_by_label("Headline")).to_be_focused()
    page.get_by_label("Headline").fill("A Window for the Som")
    type_at(page, "Home", "Forty shops take part. ")
    page.keyboard.press("Control+b")
    page.keyboard.type("Today")
    assert text(page) == "Forty shops take part. **Today**"
    expect(page.locator("#story-count")).to_contain_text("5 words")
    expect(page.locator("#story-saved")).to_contain_text(STORED)


def take_up(page: Page) -> None:
    """A story that was never saved is offered again, with what was chosen from a list."""
    choose(page, field="section", words="News")
    expect(page.locator("#story-saved")).to_contain_text(STORED)
    page.wait_for_timeout(600)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/admin/articles/article/add/")
    # Other journeys may have left a story of theirs behind.
    offer = page.locator(".story-offer").filter(has_text="A Window for the Som")
    offer.get_by_role("button", name="Take it up").click()
    expect(page.get_by_label("Headline")).to_have_value("A Window for the Som")
    assert text(page) == "Forty shops take part. **Today**"
    page.locator("#id_slug").fill("a-window-for-the-som")
    save_by_key(page)
    expect(page.locator(".story-state")).to_have_text("Draft")
    expect(page.locator("#id_slug")).to_be_focused()
    expect(page.locator("#id_section option:checked")).to_have_text("News")
    expect(offer).to_have_count(0)
    # The form of a story that is saved is empty again, so that nobody saves it twice.
    page.go_back()
    expect(page.get_by_label("Headline")).to_be_focused()
    expect(page.get_by_label("Headline")).to_have_value("")
    page.go_forward()
    expect(page.locator(".story-state")).to_have_text("Draft")


def look_beside(page: Page) -> None:
    """The page beside the text follows."""
    page.get_by_role("button", name="Preview").click()
    shown = page.frame_locator(f"iframe[title='{PICTURE_OF_PAGE}']")
    expect(shown.locator(".prose strong")).to_have_text("Today")
    type_at(page, "End", "\n\n## And tomorrow\n\n")
    expect(shown.get_by_role("heading", name="And tomorrow")).to_be_visible()
    page.get_by_role("button", name="Mail", exact=True).click()
    expect(shown.get_by_role("heading", name="And tomorrow")).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()


def lose_the_connection(page: Page) -> None:
    """Nothing leaves the page, and what was typed goes out when the connection is back."""
    page.route("**/copies/**", lambda route: route.abort())
    type_at(page, "End", "Offline. ")
    expect(page.locator("#story-saved")).to_contain_text("No connection")
    page.keyboard.press("Control+s")
    expect(page.locator("#story-saved")).to_contain_text("Not saved")
    page.unroute("**/copies/**")
    expect(page.locator("#story-saved")).to_contain_text(STORED)


def lose_the_session(page: Page) -> None:
    """The password is asked beside the text, and the key goes on with what it was pressed for."""
    page.context.clear_cookies(name="sessionid")
    type_at(page, "End", "Signed out. ")
    expect(page.locator("#story-saved")).to_contain_text("Your session has ended")
    token = page.locator("#id_copy").input_value()
    page.keyboard.press("Control+s")
    page.locator(".story-again").get_by_label("Password").fill(PASSWORD)
    page.locator(".story-again").get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#id_copy")).not_to_have_value(token)
    assert text(page).rstrip().endswith("Offline. Signed out.")
    # The writer goes on where the key was pressed.
    expect(page.get_by_role("textbox", name="Text")).to_be_focused()
    page.keyboard.type(" And on.")
    assert text(page).endswith("Offline. Signed out. And on.")


def test_nothing_typed_is_lost_whatever_happens(open_page: Opener) -> None:
    page = open_page(expects=(ENDED,))
    log_in(page)
    begin(page)
    take_up(page)
    look_beside(page)
    lose_the_connection(page)
    lose_the_session(page)
    assert faults(page) == []


def test_two_windows_on_one_story_are_asked_and_a_telephone_is_enough(open_page: Opener) -> None:
    first, second = open_page(), open_page(has_touch=True)
    log_in(first)
    first.goto("/admin/articles/article/add/")
    first.get_by_label("Headline").fill("What Two of Us Write")
    first.get_by_role("textbox", name="Text").fill("It is in the middle.")
    choose(first, field="section", words="News")
    save_by_key(first)
    log_in(second)
    second.goto(first.url)
    second.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
    expect(second.locator("#story-presence")).to_contain_text("open in another window")
    for page, headline in ((first, "The first headline"), (second, "The second headline")):
        page.get_by_label("Headline").fill(headline)
    type_at(first, "Home", "At the start. ")
    save_by_key(first)
    type_at(second, "End", " At the end.")
    second.get_by_role("button", name="Save", exact=True).click()
    asked = second.locator(".story-conflicts")
    expect(asked).to_contain_text("The first headline")
    expect(asked).to_contain_text("The second headline")
    assert faults(second) == []
    assert second.evaluate("document.documentElement.scrollWidth") <= TELEPHONE[0]
    asked.get_by_label("Theirs").first.check()
    save_by_key(second)
    expect(second.get_by_label("Headline")).to_have_value("The first headline")
    assert text(second) == "At the start. It is in the middle. At the end."
