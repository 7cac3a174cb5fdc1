"""A reader's preferences in Russian, on a telephone, without a script."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import accessibility, stack
from tests.browser.conftest import TELEPHONE, Opener

READER = """
from subscribers import links
from subscribers.models import Newsletter, Subscriber
from tests.cast import confirmed
row = confirmed("vera@example.org", Newsletter.objects.order_by("position", "pk").first())
Subscriber.objects.filter(pk=row.subscriber_id).update(language="ru")
print("paths", links.preferences_token(subscriber=row.subscriber), links.unsubscribe_token(subscription=row))
"""


@pytest.fixture
def paths(site: stack.Stack) -> tuple[str, str]:
    """Vera's preferences and her way out."""
    line = next(line for line in site.manage("shell", "-v", "0", "-c", READER).splitlines() if line.startswith("paths"))
    _word, preferences, way_out = line.split()
    return f"/preferences/{preferences}/", f"/unsubscribe/{way_out}/"


def look(page: Page, path: str) -> None:
    """Anybody can read it, by day and by night; axe-core is a script, so another page runs it."""
    page.goto(path)
    assert accessibility.faults(page, rules=accessibility.WITH_BEST_PRACTICE) == []
    page.emulate_media(color_scheme="dark")
    assert accessibility.faults(page, rules=accessibility.OF_COLOURS) == []
    page.emulate_media(color_scheme="light")
    assert accessibility.overflow(page, width=TELEPHONE[0]) == 0


def test_a_reader_chooses_reads_leaves_and_is_erased(open_page: Opener, paths: tuple[str, str]) -> None:
    preferences, way_out = paths
    page, looked_at = open_page(size=TELEPHONE, java_script_enabled=False), open_page(reduced_motion="reduce")
    for path in (preferences, f"{preferences}data/", f"{preferences}erase/", way_out):
        look(looked_at, path)

    page.goto(preferences)
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.get_by_role("heading", level=1)).to_have_text("Настройки подписки")
    page.get_by_role("radio", name="Ежедневно").check()
    topic = page.get_by_role("group", name="Темы").first.get_by_role("checkbox").first
    topic.check()
    page.get_by_role("radiogroup", name="Что показывать").first.get_by_role("radio", name="Только заголовки").check()
    page.get_by_role("button", name="Сохранить").first.click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(topic).to_be_checked()
    page.goto(way_out)
    page.get_by_role("button", name="Лучше раз в неделю").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Теперь раз в неделю")
    page.goto(preferences)
    expect(page.get_by_role("radio", name="По понедельникам")).to_be_checked()
    page.get_by_role("link", name="Удалить мои данные").click()
    page.get_by_role("button", name="Удалить мои данные").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ваши данные удалены")
