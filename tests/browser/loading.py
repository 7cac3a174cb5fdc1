"""How a page loads over a slow line: what it weighs, when it is there, and whether anything moves."""

from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Page

# "Slow 4G" of Lighthouse and of the browsers' tools: 150 ms there and back, 1.6 Mbit/s down, 675 kbit/s up.
SLOW_4G: Final = {
    "offline": False, "latency": 150, "downloadThroughput": 1_638_400 / 8, "uploadThroughput": 675_000 / 8,
}  # fmt: skip
WATCH: Final = """
window.seen = { largest: 0, moved: 0 };
const watch = (type, note) =>
  new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
watch("largest-contentful-paint", (entry) => { window.seen.largest = entry.startTime; });
watch("layout-shift", (entry) => { window.seen.moved += entry.value; });
"""


@dataclass
class Load:
    """One visit: kind and address of each thing that was loaded, its bytes on the line, and what the browser saw."""

    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    largest: float = 0.0
    moved: float = 0.0

    def of(self, *kinds: str) -> dict[str, int]:
        """Address and bytes of the parts of these kinds; without a kind, of all that are no pictures."""
        return {
            url: self.sizes.get(number, 0)
            for number, (kind, url) in self.parts.items()
            if (kind in kinds if kinds else kind != "Image")
        }


def visit(page: Page, path: str) -> Load:
    """Open the page over a slow line, with nothing kept, and look at it until it is quiet."""
    load = Load()

    def begun(event: dict[str, Any]) -> None:
        load.parts[event["requestId"]] = (event["type"], event["response"]["url"])

    def ended(event: dict[str, Any]) -> None:
        load.sizes[event["requestId"]] = int(event["encodedDataLength"])

    # The connection is there already, as after the look-up of a name that a browser does while one types.
    page.goto("/healthz")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Network.emulateNetworkConditions", SLOW_4G)
    session.on("Network.responseReceived", begun)
    session.on("Network.loadingFinished", ended)
    page.add_init_script(WATCH)
    page.goto(path, wait_until="networkidle")
    seen = page.evaluate("window.seen")
    load.largest, load.moved = seen["largest"], seen["moved"]
    session.detach()
    return load
