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
    "crosswise": "deadlock",
    "dear": "expensive",
    "doors?": "entry point, action",
    "forgiven?": "acknowledged",
    "furniture": "related objects",
    "(?<!publishing )house": "publication, provider",
    "intents?": "attempt",
    "mad": "broken",
    "nobody waits long": "returns quickly",
    "octets?": "bytes",
    "of concern": "relevant",
    "permits?": "grant",
    "porter": "connection pool",
    "pulse": "heartbeat",
    "pump": "sweeper",
    "rehearse": "constant-time dry run",
    "sketch": "preview",
    "so many": "N, how many",
    "stands": "is",
    "standstill": "stall diagnosis",
    "told": "reported, passed",
    "vault": "placeholders",
    "went backwards": "was rolled back",
    "whoever": "anyone who",
    "whose hour has come": "due",
    "witness": "send journal",
}
# Of variables, functions, classes and modules: a name says what the value is.
NAMES = {
    "answer": "response, reply",
    "arrivals": "outcomes",
    "askers": "clients",
    "as_it_stands": "preview",
    "bell": "wake_up",
    "brake": "throttle",
    "crumbs": "partial_grant",
    "door": "server, client",
    "doors": "actions, request_context",
    "found": "what was found: article, rows",
    "effects": "handlers",
    "furniture": "related_objects",
    "gate": "rate_limiter",
    "intend": "record_attempts",
    "intents": "attempts",
    "kept": "what was kept: html, events",
    "made": "what was made: issue, new_rows",
    "permit": "grant",
    "porter": "connection_pool",
    "posting": "letters.send",
    "promise": "attempt",
    "pulse": "heartbeat",
    "pump": "sweeper",
    "ringer": "close",
    "said": "what was said: message, reply",
    "sketch": "preview",
    "standstill": "stall",
    "told": "what was told: outcomes, report",
    "vault": "placeholders",
    "witness": "journal",
}

# Most files have none of the words, and need no parsing.
SUSPECT = re.compile(rf"\b(?:{'|'.join([*PROSE, *NAMES])})\b", re.IGNORECASE)
FORMER = {word: re.compile(rf"\b{word}\b", re.IGNORECASE) for word in PROSE}
COMMENT = re.compile(r"(?:^|\s)#(.*)", re.MULTILINE)


def words(*lines: str) -> set[str]:
    return {word for line in lines for word in line.split(", ")}


STILL: dict[str, set[str]] = {
    "digests/sending": words(
        "whose hour has come",
    ),
    "digests/sending tests": words(
        "(?<!publishing )house, anew, found=, made=, so many, stands, told, whoever",
    ),
    "postal tests": words(
        "found=, octets?, said=, stands",
    ),
}


def room(path: Path) -> str:
    """The directory that an entry of STILL is about. Tests have their own entry, and so has the sending engine."""
    parts = path.relative_to(ROOT).parts
    if len(parts) == 1:
        return "."
    name = "digests/sending" if parts[:2] == ("digests", "sending") else parts[0]
    return f"{name} tests" if "tests" in parts[1:] else name


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
    assert set(STILL) <= {room(path) for path in sources()}, "the list is about real directories"
    new = {directory: sorted(there[directory] - STILL.get(directory, set())) for directory in there}
    assert {directory: words for directory, words in new.items() if words} == {}


def test_a_word_that_is_gone_leaves_the_list() -> None:
    there = used()
    gone = {directory: sorted(words - there.get(directory, set())) for directory, words in STILL.items()}
    assert {directory: words for directory, words in gone.items() if words} == {}, "take them out of STILL"
