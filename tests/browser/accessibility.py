"""Whether everybody can read a page: what axe-core finds on it, and whether it fits a telephone."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import axe_playwright_python
from playwright.sync_api import Page

Rules = Mapping[str, object]

WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Levels A and AA; these with what axe-core recommends besides; and what changes with the colour scheme.
OF_WCAG: Final[Rules] = {"type": "tag", "values": WCAG}
WITH_BEST_PRACTICE: Final[Rules] = {"type": "tag", "values": [*WCAG, "best-practice"]}
OF_COLOURS: Final[Rules] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# Of elements that break no rule, it need not say what they are.
RUN: Final = """([part, rules]) =>
    axe.run(part || document, {resultTypes: ["violations"], ...(rules && {runOnly: rules})})
        .then(result => result.violations)"""


@cache
def _axe() -> str:
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def faults(page: Page, *, rules: Rules | None = OF_WCAG, within: str = "") -> list[str]:
    """One line per rule that is broken, with the first element that breaks it; None: every rule of axe-core.

    `within` is a selector; empty: the whole document.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())
    violations = page.evaluate(RUN, [within, rules])
    return [f"{rule['id']}: {rule['help']}: {rule['nodes'][0]['html'][:200]}" for rule in violations]


def overflow(page: Page, *, width: int) -> int:
    """By how many pixels the page is wider than a screen of this width; it has its own width again then."""
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": 740})
    wide = int(page.evaluate("document.documentElement.scrollWidth"))
    if before:
        page.set_viewport_size(before)
    return max(0, wide - width)
