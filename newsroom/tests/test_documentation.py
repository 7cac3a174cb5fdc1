"""The documentation points at what exists: links, files, decisions, and the order of the imports."""

import re
import tomllib
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
ROOMS = (
    "articles|benchmarks|bin|core|digests|docs|mailkit|newsroom|postal|publication|static|subscribers|templates|tests"
)
# In backticks, alone or in a command.
PATH = re.compile(rf"(?:`| )((?:{ROOMS})/[\w./-]+\w/?)(?=[`: ])(?=[^\n]*`)")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What a heading's link is called on the usual hosts."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}#{anchor}"
        for page in PAGES
        for target, anchor in LINK.findall(text(page))
        if not (file := (page.parent / target) if target else page).exists()
        or (anchor and file.suffix == ".md" and anchor not in anchors(file))
    ]
    assert broken == []


def test_every_file_that_is_named_exists() -> None:
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in PAGES
        for name in PATH.findall(text(page))
        if not (ROOT / name).exists()
    ]
    assert missing == []


def test_every_decision_has_the_same_parts_and_is_in_the_index() -> None:
    rows = []
    for path in DECISIONS:
        head = re.match(r"# (\d{4}\. .+)\n\nDate: (\d{4}-\d\d-\d\d)\n\n", text(path))
        assert head is not None, f"{path.name} begins with # NNNN. Title, an empty line, Date: YYYY-MM-DD"
        title, date = head.groups()
        assert title.startswith(path.name[:4]), path.name
        headings = re.findall(r"^## (.+)$", text(path), re.MULTILINE)
        assert headings in (
            ["Context", "Decision", "Consequences"],
            ["Context", "Decision", "Consequences", "Alternatives"],
        ), f"{path.name} has other headings"
        rows.append(f"| [{title}]({path.name}) | {date} |")
    index = text(ROOT / "docs" / "decisions" / "README.md")
    assert [line for line in index.splitlines() if line.startswith("| [")] == rows


def test_every_decision_that_code_refers_to_exists() -> None:
    numbers = {path.name[:4] for path in DECISIONS}
    unknown = [
        f"{path.relative_to(ROOT)}: {number}"
        for path in ROOT.rglob("*.py")
        if not {".venv", "var"} & set(path.relative_to(ROOT).parts)
        for number in re.findall(r"decisions/(\d{4})", text(path))
        if number not in numbers
    ]
    assert unknown == []


def test_the_map_has_the_order_that_the_imports_have() -> None:
    contracts = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    order = " -> ".join(f"{{{layer}}}" if "|" in layer else layer for layer in layers)
    assert f"Imports point down: `{order}`." in text(ROOT / "docs" / "architecture.md")
