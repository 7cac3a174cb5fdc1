"""The map in docs/architecture.md is drawn from the imports: its arrows are those of the code."""

import re
from collections import defaultdict

from django.conf import settings

from newsroom.tests.test_import_contracts import CONTRACTS, code, imported

APPS: list[str] = CONTRACTS["root_packages"]
# The parts of digests, each of which has a border of its own.
PARTS = ("digests.admin", "digests.feedback", "digests.sending")
ARROW = re.compile(r"^([\w.]+) +-> (.+)$", re.MULTILINE)


def node(dotted: str) -> str | None:
    """The place on the map of a module: a part of digests, or an app. None for a module that is not ours."""
    part = next((part for part in PARTS if f"{dotted}.".startswith(f"{part}.")), None)
    app = dotted.partition(".")[0]
    return part or (app if app in APPS else None)


def arrows() -> dict[str, set[str]]:
    """Place -> the places that it imports, without tests and migrations."""
    targets_of = defaultdict[str, set[str]](set)
    for app in APPS:
        for path in code(app):
            dotted = ".".join(path.relative_to(settings.BASE_DIR).with_suffix("").parts)
            source = node(dotted)
            assert source is not None
            targets_of[source] |= {target for name in imported(path) if (target := node(name)) not in {None, source}}
    return {source: targets for source, targets in targets_of.items() if targets}


def drawn() -> dict[str, set[str]]:
    """The arrows of the block in the documentation."""
    page = (settings.BASE_DIR / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {source: set(targets.split()) for source, targets in ARROW.findall(page)}


def test_the_map_has_the_arrows_of_the_imports() -> None:
    lines = [f"{source:<17} -> {' '.join(sorted(targets))}" for source, targets in arrows().items()]
    assert drawn() == arrows(), "The block in docs/architecture.md is:\n" + "\n".join(lines)


def test_a_module_of_a_part_belongs_to_the_part() -> None:
    assert [node(name) for name in ("digests.sending.lanes", "digests.sending_day", "digests", "redis.client")] == [
        "digests.sending",
        "digests",
        "digests",
        None,
    ]
