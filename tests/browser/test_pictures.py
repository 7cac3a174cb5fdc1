"""Pictures while writing: dropped, pasted, chosen; described before they are inserted; seen on the page."""

import base64
import re

from playwright.sync_api import Locator, Page, Route, expect

from articles.tests.conftest import png
from tests.browser.accessibility import faults
from tests.browser.conftest import Opener
from tests.browser.desk import choose, log_in, publish, text

# A file as a browser hands it to a page: `how` is the event, at the text or at something else.
HAND_OVER = """([selector, how, data, names]) => {
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
    const transfer = new DataTransfer();
    for (const name of names) transfer.items.add(new File([bytes], name, {type: "image/png"}));
    const given = how === "paste"
        ? new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true, cancelable: true})
        : new DragEvent(how, {dataTransfer: transfer, bubbles: true, cancelable: true});
    document.querySelector(selector).dispatchEvent(given);
}"""
TEXT = ".story-editor .cm-content"


def hand_over(page: Page, *names: str, how: str = "drop", selector: str = TEXT) -> None:
    data = base64.b64encode(png(600, 400)).decode()
    page.evaluate(HAND_OVER, [selector, how, data, list(names)])


def picture_dialog(page: Page) -> Locator:
    """The dialog in which pictures are described."""
    return page.get_by_role("dialog", name="Add a picture")


def drop_two(page: Page) -> None:
    """Two at once: the alternative text is demanded, and the focal point moves by keys."""
    dialog = picture_dialog(page)
    insert = dialog.get_by_role("button", name="Insert")
    hand_over(page, "one.png", "two.png")
    expect(dialog.locator(".picture-entry")).to_have_count(2)
    first, second = dialog.get_by_label("What does it show?").all()
    expect(first).to_be_focused()
    first.fill("Ice [thin]")
    insert.click()
    expect(second).to_be_focused()
    expect(dialog.get_by_text("Say what the picture shows")).to_have_count(1)
    assert not faults(page, within="#picture-dialog")
    second.fill("A boat")
    dialog.get_by_label("Credit").nth(1).fill("Jane Roe")
    ring = dialog.locator(".picture-entry").first.get_by_role("button", name=re.compile("^Focal point"))
    ring.press("ArrowLeft")
    ring.press("Shift+ArrowUp")


def insert_in_spite_of_a_cut_line(page: Page) -> None:
    """What was typed stays when the line is cut, and the same button tries again."""
    dialog = picture_dialog(page)
    insert = dialog.get_by_role("button", name="Insert")
    second = dialog.get_by_label("What does it show?").nth(1)

    def cut(route: Route) -> None:
        route.abort()

    page.route("**/image/upload/", cut)
    insert.click()
    expect(dialog.get_by_text("The connection was lost")).to_have_count(2)
    expect(second).to_have_value("A boat")
    assert "image:" not in text(page)
    page.unroute("**/image/upload/", cut)
    insert.click()
    expect(dialog).to_be_hidden()
    assert re.search(
        r"^The ice is back\.\n\n!\[Ice \(thin\)\]\(image:\d+\)\n\n!\[A boat\]\(image:\d+\)\s*$", text(page)
    ), text(page)


def paste(page: Page) -> None:
    """With a size."""
    dialog = picture_dialog(page)
    insert = dialog.get_by_role("button", name="Insert")
    hand_over(page, "three.png", how="paste")
    dialog.get_by_label("What does it show?").fill("A net")
    dialog.get_by_label("Size").select_option(label="Right, beside the text")
    insert.click()
    expect(dialog).to_be_hidden()
    assert re.search(r"!\[A net\]\(image:\d+\)\{right\}", text(page))


def choose_from_the_library(page: Page) -> None:
    """By keyboard alone."""
    dialog = picture_dialog(page)
    insert = dialog.get_by_role("button", name="Insert")
    page.get_by_role("toolbar", name="Formatting").get_by_role("button", name="Picture").click()
    dialog.get_by_role("button", name="From the library").press("Enter")
    dialog.get_by_role("searchbox").fill("jane boat")
    expect(dialog.locator(".picture-grid button")).to_have_count(1)
    page.route("**/image/search/**", lambda route: route.fulfill(body="<h1>Sign in</h1>"))
    dialog.get_by_role("searchbox").fill("jane boat on")
    expect(dialog.get_by_text("You are signed out")).to_be_visible()
    page.unroute("**/image/search/**")
    dialog.get_by_role("searchbox").fill("jane boat")
    expect(dialog.get_by_text("You are signed out")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    insert.press("Enter")
    expect(dialog).to_be_hidden()
    assert text(page).count("![A boat]") == 2


def drop_above_the_story(page: Page) -> None:
    """The lead picture; one that was given up for the text does not come back here."""
    dialog = picture_dialog(page)
    insert = dialog.get_by_role("button", name="Insert")
    hand_over(page, "given-up.png")
    dialog.get_by_role("button", name="Cancel").click()
    hand_over(page, "four.png", selector=".picture-lead")
    expect(dialog.locator(".picture-entry")).to_have_count(1)
    dialog.get_by_label("What does it show?").fill("The whole lake")
    insert.click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".picture-lead img")).to_have_attribute("alt", "The whole lake")


def look_at_the_library(page: Page) -> None:
    """Where the pictures are, and what one of them is used for."""
    page.goto("/admin/articles/image/?q=ice+thin")
    page.get_by_role("link", name="Ice [thin]").click()
    expect(page.get_by_role("button", name=re.compile("Focal point: 48 % from the left, 40 %"))).to_be_visible()
    expect(page.get_by_role("link", name="Ice on the Lake (Published)").first).to_be_visible()
    assert not faults(page, within="#image_form")
    page.goto("/admin/articles/image/")
    assert not faults(page, within=".picture-desk")


def test_pictures_are_dropped_pasted_and_chosen_while_a_story_is_written(open_page: Opener) -> None:
    page, reader = open_page(), open_page()
    log_in(page)
    page.goto("/admin/articles/article/add/")
    page.get_by_label("Headline").fill("Ice on the Lake")
    page.locator(TEXT).press_sequentially("The ice is back.")
    drop_two(page)
    insert_in_spite_of_a_cut_line(page)
    paste(page)
    choose_from_the_library(page)
    drop_above_the_story(page)

    choose(page, field="section", words="News")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.locator(".picture-lead img")).to_have_attribute("alt", "The whole lake")
    publish(page)
    reader.goto("/articles/ice-on-the-lake/")
    expect(reader.locator(".prose img")).to_have_count(4)
    expect(reader.locator(".prose figure.picture-right img")).to_have_attribute("alt", "A net")
    expect(reader.locator(".story > figure img")).to_have_attribute("alt", "The whole lake")
    look_at_the_library(page)


def test_cards_are_put_in_by_hand_and_another_site_loads_nothing_until_it_is_asked(open_page: Opener) -> None:
    page = open_page()
    log_in(page)
    page.goto("/admin/articles/article/add/")
    page.get_by_label("Headline").fill("The Dam at Night")
    page.locator(TEXT).press_sequentially("Look.")
    dialog, toolbar = page.get_by_role("dialog", name="Insert a card"), page.get_by_role("toolbar", name="Formatting")
    toolbar.get_by_role("button", name="Card").click()
    dialog.get_by_label("Its address").fill("vimeo")
    dialog.get_by_label("What it is, in a few words").fill("The dam at night")
    dialog.get_by_role("button", name="Insert").click()
    expect(dialog.get_by_role("alert")).to_contain_text("https://")
    expect(dialog.get_by_role("button", name="Note", exact=True)).to_be_visible()
    assert not faults(page, within="#card-dialog")
    dialog.get_by_label("Its address").fill("https://vimeo.com/76979871")
    dialog.get_by_role("button", name="Insert").press("Enter")
    toolbar.get_by_role("button", name="Card").click()
    dialog.get_by_role("searchbox").fill("crypto reserve")
    dialog.locator(".card-stories button").first.click()
    toolbar.get_by_role("button", name="Card").click()
    dialog.get_by_role("button", name="Note", exact=True).click()
    expect(page.locator("[name=body_markdown]")).to_have_value(
        re.compile(
            r"^Look\.\n\n::: embed https://vimeo\.com/76979871 The dam at night\n\n::: story [a-z-]+\n\n"
            r"::: note Title\n.+\n:::\s*$"
        )
    )
    choose(page, field="section", words="News")
    page.get_by_role("button", name="Save", exact=True).first.click()
    publish(page)

    asked: list[str] = []
    reader = page.context.new_page()

    def played(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body="x")

    reader.route("https://player.vimeo.com/**", played)
    reader.goto("/articles/the-dam-at-night/")
    expect(reader.locator(".bookmark a")).to_have_count(1)
    expect(reader.locator(".card-note strong")).to_have_text("Title")
    load = reader.get_by_role("button", name="Load from Vimeo")
    expect(load).to_be_visible()
    assert asked == []
    load.press("Enter")
    expect(reader.frame_locator(".embed iframe").locator("body")).to_have_text("x")
    assert asked == ["https://player.vimeo.com/video/76979871?dnt=1"]
