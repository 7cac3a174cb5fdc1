"""A real browser against a real site: web, worker, PostgreSQL and Redis are the ones a newcomer gets."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from newsroom import embedded
from newsroom.running import chromium as browsers
from tests import written
from tests.browser import stack as stacks

CHROMIUM = browsers.find()
# Each window would start two more processes, for an address bar that nobody sees.
ADDRESS_BAR = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "PreloadTopChromeWebUI"]
# Chromium reads one list of features, so this repeats those of Playwright's that are about pages.
FEATURES = [
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay",
    "HttpsFirstBalancedModeAutoEnable", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
    "PreconnectToSearch",
]  # fmt: skip
LAUNCH = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    f"--disable-features={','.join([*FEATURES, *ADDRESS_BAR])}",
]  # fmt: skip
# Waiting ends with what is waited for, so this costs nothing where the machine is quick.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
DESK, TELEPHONE = (1280, 900), (320, 640)
# Where the publication's own addresses are, which are nobody's secret.
PUBLICATION = "%40blocknews.example"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without Chromium none of them can run."""
    for item in items:
        if "tests/browser/" not in item.path.as_posix():
            continue
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason=browsers.MISSING))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stacks.Stack]:
    """The running product."""
    running = stacks.start(var=tmp_path_factory.mktemp("site"))
    yield running
    place = embedded.place(running.var)
    logs = (*running.var.glob("*.log"), place.home / "postgres.log", place.home / "redis.log")
    addresses = [*written.in_files(*logs), *written.in_redis(redis.Redis.from_url(place.redis_url))]
    running.stop()
    assert addresses == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for each file: Playwright's event loop must not outlive it, other tests would trip over it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        yield browser
        browser.close()


@dataclass
class Watched:
    """What a page message and asked for while a test used it."""

    host: str
    faults: list[str] = field(default_factory=list)
    # What a test provokes, such as the end of a session.
    expected: set[int] = field(default_factory=set)

    def follow(self, page: Page) -> None:
        """Listen to a page from before its first request."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # The browser also logs a page that answers 404 on purpose; _response checks the parts of pages.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme not in {"data", "blob", "about"} and target.netloc != self.host:
            self.faults.append(f"asked another host: {target.netloc}")
        addresses = written.addresses_in(target.path + target.query)
        if target.netloc == self.host and not all(one.endswith(PUBLICATION) for one in addresses):
            self.faults.append(f"an address in an address: {request.url}")

    def _response(self, response: Response) -> None:
        is_part = response.request.resource_type != "document"
        if response.status >= 400 and is_part and response.status not in self.expected:
            self.faults.append(f"{response.status} for {response.url}")


Opener = Callable[..., Page]


@pytest.fixture
def open_page(site: stacks.Stack, chromium: Browser) -> Iterator[Opener]:
    """Makes pages with a fresh profile each; at the end none of them may have complained."""
    watched = Watched(host=urlsplit(site.url).netloc)
    contexts: list[BrowserContext] = []

    def make(*, size: tuple[int, int] = DESK, expects: Collection[int] = (), **options: Any) -> Page:
        watched.expected.update(expects)
        context = chromium.new_context(
            base_url=site.url, viewport={"width": size[0], "height": size[1]}, service_workers="block", **options
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        watched.follow(page)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not watched.faults, "\n".join(watched.faults)


@pytest.fixture
def page(open_page: Opener) -> Page:
    """A page on a desk."""
    return open_page()
