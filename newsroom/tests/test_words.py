"""One word for each idea, the one that the field uses: docs/glossary.md. Words of former times do not come back.

`STILL` lists, for each directory, the words that it still uses. It can only shrink: a word that is new in a
directory fails here, and so does an entry whose word is gone.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
# In documentation, comments and docstrings: what is not written, and what is written instead.
PROSE = {
    "anew": "again",
    "askers": "clients",
    "borne": "carried",
    "crumbs": "partial grants",
    "furniture": "related objects",
    "(?<!publishing )house": "publication, provider",
    "nobody waits long": "returns quickly",
    "octets?": "bytes",
    "of concern": "relevant",
    "permits?": "grant",
    "porter": "connection pool",
    "pump": "sweeper",
    "rehearse": "constant-time dry run",
    "so many": "N, how many",
    "stands": "is",
    "standstill": "stall diagnosis",
    "told": "reported, passed",
    "went backwards": "was rolled back",
    "whoever": "anyone who",
    "whose hour has come": "due",
    "witness": "send journal",
}
# Of variables, functions, classes and modules: a name says what the value is.
NAMES = {
    "answer": "response, reply",
    "askers": "clients",
    "brake": "throttle",
    "crumbs": "partial_grant",
    "doors": "actions, request_context",
    "found": "what was found: article, rows",
    "gate": "rate_limiter",
    "kept": "what was kept: html, events",
    "made": "what was made: issue, new_rows",
    "permit": "grant",
    "porter": "connection_pool",
    "pulse": "heartbeat",
    "pump": "sweeper",
    "said": "what was said: message, reply",
    "standstill": "stall",
    "told": "what was told: outcomes, report",
    "witness": "journal",
}

# Most files have none of the words, and need no parsing.
SUSPECT = re.compile(rf"\b(?:{'|'.join([*PROSE, *NAMES])})\b", re.IGNORECASE)
FORMER = {word: re.compile(rf"\b{word}\b", re.IGNORECASE) for word in PROSE}
COMMENT = re.compile(r"(?:^|\s)#(.*)", re.MULTILINE)


def words(*lines: str) -> set[str]:
    return {word for line in lines for word in line.split(", ")}


STILL: dict[str, set[str]] = {
    "digests": words(
        "(?<!publishing )house, anew, answer=, borne, found=, kept=, made=, octets?, of concern, said=",
        "so many, stands, told, told=, whoever, whose hour has come",
    ),
    "digests tests": words(
        "(?<!publishing )house, anew, answer=, found=, kept=, made=, octets?, said=, so many, stands, told",
        "told=, whoever",
    ),
    "docs": words(
        "stands",
    ),
    "postal tests": words(
        "found=, octets?, said=, stands",
    ),
}


def room(path: Path) -> str:
    """The directory that an entry of STILL speaks of; tests are rooms of their own."""
    parts = path.relative_to(ROOT).parts
    if len(parts) == 1:
        return "."
    return f"{parts[0]} tests" if "tests" in parts[1:] else parts[0]


def sources() -> Iterator[Path]:
    for pattern in ("*.md", "docs/**/*.md", "*.py", "*/**/*.py"):
        for path in ROOT.glob(pattern):
            if not {".venv", "var", "migrations"} & set(path.relative_to(ROOT).parts):
                yield path


def prose(text: str, nodes: Sequence[ast.AST]) -> str:
    """What people read there, without what is in backticks: a file or a name may still be called so."""
    if nodes:
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = [ast.get_docstring(node, clean=False) for node in nodes if isinstance(node, documented)]
        text = "\n".join([*COMMENT.findall(text), *filter(None, docstrings)])
    return re.sub(r"`[^`]*`", "", text)


def names(path: Path, nodes: Sequence[ast.AST]) -> Iterator[str]:
    """What this file gives a name to: itself, its functions and classes, arguments and variables."""
    yield path.stem
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name


@cache
def used() -> dict[str, set[str]]:
    """Directory -> the words of the tables that it uses; a name is written with `=` behind it."""
    there: dict[str, set[str]] = defaultdict(set)
    for path in sources():
        text = path.read_text(encoding="utf-8")
        if not SUSPECT.search(text):
            continue
        nodes = list(ast.walk(ast.parse(text))) if path.suffix == ".py" else []
        readable = prose(text, nodes)
        there[room(path)] |= {word for word, former in FORMER.items() if former.search(readable)}
        if nodes:
            there[room(path)] |= {f"{name}=" for name in NAMES.keys() & set(names(path, nodes))}
    return {directory: words_there for directory, words_there in there.items() if words_there}


def test_no_directory_uses_more_of_the_former_words_than_it_is_listed_with() -> None:
    there = used()
    assert "digests" in STILL, "the list is about real directories"
    new = {directory: sorted(there[directory] - STILL.get(directory, set())) for directory in there}
    assert {directory: words for directory, words in new.items() if words} == {}


def test_a_word_that_is_gone_leaves_the_list() -> None:
    there = used()
    gone = {directory: sorted(words - there.get(directory, set())) for directory, words in STILL.items()}
    assert {directory: words for directory, words in gone.items() if words} == {}, "take them out of STILL"
