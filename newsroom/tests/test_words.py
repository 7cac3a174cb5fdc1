"""One word for each idea, the one that the field uses: docs/glossary.md. Words of former times do not come back."""

import ast
import re
from collections.abc import Iterator, Sequence
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


def former(path: Path) -> list[str]:
    """The words of the tables that a file uses; a name is written with `=` behind it."""
    text = path.read_text(encoding="utf-8")
    if not SUSPECT.search(text):
        return []
    nodes = list(ast.walk(ast.parse(text))) if path.suffix == ".py" else []
    readable = prose(text, nodes)
    in_prose = [word for word, pattern in FORMER.items() if pattern.search(readable)]
    in_names = NAMES.keys() & set(names(path, nodes)) if nodes else set()
    return [*in_prose, *(f"{name}=" for name in sorted(in_names))]


def test_no_file_uses_a_former_word() -> None:
    there = {str(path.relative_to(ROOT)): former(path) for path in sources()}
    assert {path: words for path, words in there.items() if words} == {}
