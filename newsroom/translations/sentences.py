"""Finds the sentences that the catalogues hold: Django's lexer reads the templates, `ast` the modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.template.base import Lexer, Token, TokenType
from django.utils.translation import trim_whitespace

ROOT: Final = Path(__file__).resolve().parent.parent.parent
APPS: Final = ("articles", "core", "digests", "mailkit", "newsroom", "postal", "publication", "staff", "subscribers")
SUFFIXES: Final = {".html", ".mjml", ".txt"}
# Function -> what its arguments are, in their order.
CALLS: Final = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy"), ("msgid",)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), ("msgid", "plural")),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ("context", "msgid")),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ("context", "msgid", "plural")),
}
CONTEXT: Final = re.compile(r"""\bcontext\s+(["'])(?P<context>.*?)\1""")
VARIABLE: Final = re.compile(r"[\w.]+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One entry of a catalogue, and the file that has it (its path below the root)."""

    msgid: str
    plural: str
    context: str
    file: str


def everything() -> Iterator[Sentence]:
    """Every sentence of the product, file by file."""
    for path in templates():
        yield from of_template(path.read_text(encoding="utf-8"), file=path.relative_to(ROOT).as_posix())
    for path in modules():
        yield from of_module(path.read_text(encoding="utf-8"), file=path.relative_to(ROOT).as_posix())


def templates() -> list[Path]:
    """Every template of ours."""
    folders = [ROOT / "templates", *(ROOT / app / "templates" for app in APPS)]
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES]


def modules() -> list[Path]:
    """Every module of the product; tests and migrations show nothing to anybody."""
    paths = (path for app in APPS for path in sorted((ROOT / app).rglob("*.py")))
    return [path for path in paths if not {"tests", "migrations"} & set(path.parts)]


def of_template(source: str, *, file: str = "") -> Iterator[Sentence]:
    """What {% translate %} and {% blocktranslate %} will look up."""
    tokens = iter(Lexer(source).tokenize())
    for token in tokens:
        words = token.split_contents() if token.token_type == TokenType.BLOCK else [""]
        context = match["context"] if (match := CONTEXT.search(token.contents)) else ""
        if words[0] in {"translate", "trans"}:
            yield Sentence(words[1][1:-1], "", context, file)
        elif words[0] in {"blocktranslate", "blocktrans"}:
            forms = _forms(tokens, trimmed="trimmed" in words)
            yield Sentence(forms[0], forms[1] if len(forms) > 1 else "", context, file)


def _forms(tokens: Iterator[Token], *, trimmed: bool) -> list[str]:
    """The texts of a block, singular and plural, as Django's own node puts them together."""
    forms = [""]
    for token in tokens:
        if token.token_type == TokenType.TEXT:
            forms[-1] += token.contents.replace("%", "%%")
        elif token.token_type == TokenType.VAR:
            forms[-1] += f"%({token.contents})s"
        elif token.contents == "plural":
            forms.append("")
        elif token.contents.startswith("endblocktrans"):
            break
    return [trim_whitespace(form) for form in forms] if trimmed else forms


def of_module(source: str, *, file: str = "") -> Iterator[Sentence]:
    """What is passed to gettext and its relatives."""
    for node in ast.walk(ast.parse(source)):
        names = CALLS.get(_name(node.func), ()) if isinstance(node, ast.Call) else ()
        if not isinstance(node, ast.Call) or not names:
            continue
        texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        given = dict(zip(names, (text for text in texts if isinstance(text, str)), strict=False))
        if "msgid" in given:
            yield Sentence(given["msgid"], given.get("plural", ""), given.get("context", ""), file)


def _name(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
