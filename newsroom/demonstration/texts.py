"""Reads the demonstration's files: lines of `name: value`, an empty line, then Markdown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Story:
    """A story as it is written down in stories/<slug>.md."""

    slug: str
    headline: str
    section: str
    date: datetime
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    standfirst: str
    picture: str
    alt: str
    caption: str
    credit: str
    body: str
    correction: str = ""


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A translation of a story as it is written down in translations/<language>/<slug of the original>.md."""

    of: str
    language: str
    headline: str
    slug: str
    standfirst: str
    body: str


@dataclass(frozen=True, kw_only=True)
class LegalText:
    """A legal document as it is written down in legal/<name>.md."""

    kind: str
    slug: str
    title: str
    body: str


def stories() -> list[Story]:
    """Every story, the oldest first."""
    return sorted((_story(path) for path in sorted(HERE.glob("stories/*.md"))), key=lambda story: story.date)


def translations() -> Iterator[Translation]:
    """Every translation."""
    for path in sorted(HERE.glob("translations/*/*.md")):
        fields, body = _read(path)
        yield Translation(of=path.stem, language=path.parent.name, body=body, **fields)


def legal_texts() -> Iterator[LegalText]:
    """The terms of use, then the privacy policy."""
    for name in ("terms", "privacy"):
        fields, body = _read(HERE / "legal" / f"{name}.md")
        yield LegalText(body=body, **fields)


def _story(path: Path) -> Story:
    fields, body = _read(path)
    lists = {name: tuple(part.strip() for part in fields.pop(name).split(",")) for name in ("authors", "tags")}
    date = datetime.fromisoformat(fields.pop("date"))
    return Story(slug=path.stem, body=body, date=date, authors=lists["authors"], tags=lists["tags"], **fields)


def _read(path: Path) -> tuple[dict[str, str], str]:
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    pairs = (line.partition(":") for line in head.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}, body.strip() + "\n"
