"""What holds on every reader page: it fits a telephone, it can be read by all, it keeps quiet."""

import pytest

from tests.browser import accessibility
from tests.browser.conftest import TELEPHONE, Opener

PAGES = {
    "front": "/",
    "story": "/articles/kyrgyzstan-crypto-reserve/",
    "story-with-table": "/articles/digital-som-explained/",
    "section": "/sections/markets/",
    "tag": "/tags/bitcoin/",
    "author": "/authors/nora-ellery/",
    "search": "/search/?q=gold",
    "newsletters": "/newsletters/",
    "newsletter": "/newsletters/tech-and-product-updates/",
    "subscribe": "/subscribe/",
    "preferences": "/preferences/",
    "legal": "/legal/privacy-policy/",
    "legal-version": "/legal/terms-of-use/1/",
    "spoilt-link": "/confirm/not-a-token/",
}


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_everybody_can_read_it_by_day_by_night_and_on_a_telephone(open_page: Opener, path: str) -> None:
    page = open_page(color_scheme="light", reduced_motion="reduce")
    page.goto(path)
    assert page.context.cookies() == [], "a reader carries a cookie"
    assert page.locator("h1").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("[style], style, script:not([src]):not([type='application/ld+json'])").count() == 0
    assert accessibility.faults(page, rules=accessibility.WITH_BEST_PRACTICE) == []
    page.emulate_media(color_scheme="dark")
    assert accessibility.faults(page, rules=accessibility.OF_COLOURS) == []
    assert accessibility.overflow(page, width=TELEPHONE[0]) == 0


def test_text_may_be_twice_as_large(open_page: Opener) -> None:
    page = open_page(size=(640, 900))
    page.goto("/articles/kyrgyzstan-crypto-reserve/")
    # 200 % of 16 pixels, as a reader sets it in the browser (WCAG 2.2, 1.4.4).
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 640


def test_paper_shows_the_story_alone(open_page: Opener) -> None:
    page = open_page()
    page.goto("/articles/kyrgyzstan-crypto-reserve/")
    page.emulate_media(media="print")
    assert page.locator("article.story h1").is_visible()
    for part in (".signup-band", ".sections", ".masthead__tools"):
        assert not page.locator(part).is_visible(), part
