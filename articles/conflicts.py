"""Two people changed a story at once: which fields only one of them changed, and which both, each to something else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from articles import merging
from articles.revisions import Snapshot

# In the order in which the page shows them.
FIELDS: Final = (
    "headline", "standfirst", "body_markdown", "section", "tags", "authors", "lead_image", "published_at", "slug",
)  # fmt: skip
TEXT: Final = "body_markdown"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field with what both made of it, in words; of a text, the parts that each changed.

    `merged` is both changes of the text together, if they do not touch, and `merged_parts` what they are.
    """

    field: str
    mine: str
    theirs: str
    merged: str | None = None
    merged_parts: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a form and the story's last version say of each other.

    `only_theirs` are the fields that the form left as they had been, and somebody else changed.
    """

    only_theirs: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


def compare(*, begun: Snapshot | None, theirs: Snapshot, mine: dict[str, Any]) -> Comparison:
    """Compare the form with the last version, by the version that the form began with.

    `mine` has values as a snapshot has them, for the fields that could be read. Without `begun` whatever differs
    is a conflict.
    """
    only_theirs, conflicts = [], []
    for name in FIELDS:
        if name not in mine:
            continue
        left, right = plain(name, mine[name]), plain(name, theirs.get(name))
        old = plain(name, begun.get(name)) if begun is not None else object()
        if right in (left, old):
            continue
        if left == old:
            only_theirs.append(name)
            continue
        if name == TEXT:
            conflicts.append(_of_text(begun[TEXT] if begun else None, str(left or ""), str(right or "")))
        else:
            conflicts.append(Conflict(name, shown(mine[name]), shown(theirs.get(name))))
    return Comparison(tuple(only_theirs), tuple(conflicts))


def _of_text(begun: str | None, mine: str, theirs: str) -> Conflict:
    if begun is None:
        return Conflict(
            TEXT, merging.changed_parts(base=theirs, text=mine), merging.changed_parts(base=mine, text=theirs)
        )
    base = str(plain(TEXT, begun) or "")
    merged = merging.merge(base=base, mine=mine, theirs=theirs)
    return Conflict(
        TEXT,
        merging.changed_parts(base=base, text=mine),
        merging.changed_parts(base=base, text=theirs),
        merged,
        merging.changed_parts(base=base, text=merged) if merged is not None else "",
    )


def plain(name: str, value: Any) -> Any:
    """The value as it is compared: rows by number, tags in no order, moments to the second as forms have them."""
    if isinstance(value, dict):
        return value["id"]
    if isinstance(value, list):
        numbers = [each["id"] for each in value]
        return sorted(numbers) if name == "tags" else numbers
    if name == "published_at" and value:
        return datetime.fromisoformat(value).replace(microsecond=0)
    return (value or "").replace("\r\n", "\n").strip() or None


def shown(value: Any) -> str:
    """The value in words."""
    if isinstance(value, dict):
        return str(value["name"])
    if isinstance(value, list):
        return ", ".join(each["name"] for each in value)
    return str(value or "")
