"""Finds sentences that no catalogue can reach: in templates by Django's lexer, in modules by their syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from django.template.base import Lexer, TokenType

# Names and formats, which are the same in every language.
NAMES: Final = frozenset({"RSS", "Atom", "JSON", "UTC", "SHA", "HTML", "Markdown"})
WORD: Final = re.compile(r"[^\W\d_]{2,}")
# What a reader does not read, though it is between tags.
MACHINE: Final = re.compile(
    r"<!--.*?-->|<(style|script|mj-style|mj-attributes|svg)\b.*?</\1>|<!doctype[^>]*>"
    r"|<span class=\"material-symbols-outlined\"[^>]*>\w+</span>|https?://[^\s\"]+|\b\w+@example\.org\b",
    re.DOTALL | re.IGNORECASE,
)
READ_ATTRIBUTE: Final = re.compile(r"\b(?:alt|title|aria-label|placeholder|summary)=\"([^\"]*)\"", re.DOTALL)
TAG: Final = re.compile(r"<[^<>]*>", re.DOTALL)
ENTITY: Final = re.compile(r"&#?\w+;")
SLOT: Final = re.compile(r"%%\w+%%")
# What hides words in a tag: a form of our own for one language, or text that a filter writes.
# A format with a name, such as DATE_FORMAT, is the language's own, and one letter has no order.
FILTERS: Final = re.compile(
    r"\|(?:pluralize|yesno|date:\s*[\"'](?!\w+_FORMAT|\w[\"'])[^\"']*[FEMNDl])|\|default:\s*[\"'][^\"']*[^\W\d_]{2}"
)
ARGUMENT: Final = re.compile(r"\b\w+=([\"'])(?P<text>[^\"']*[^\W\d_]{2,}\s[^\"']*)\1")

# Keyword arguments that people read.
READ: Final = frozenset({
    "help_text", "label", "verbose_name", "verbose_name_plural", "description", "search_help_text", "empty_label",
    "short_description", "empty_value_display", "message", "explanation", "done",
})  # fmt: skip
# Calls whose text people read, with the place of the text among the arguments.
SPEAKERS: Final = {
    "ValidationError": 0, "add_error": 1, "message_user": 1, "success": 1, "error": 1, "warning": 1, "info": 1,
    "link": 0,
}  # fmt: skip
MESSAGES: Final = frozenset({"success", "error", "warning", "info"})
# Keys of what a template is given, or a set of fields.
SHOWN: Final = frozenset({"description", "title"})
# Calls that log: operators read their text.
LOGS: Final = frozenset({"log", "logger", "logging"})
# Exceptions whose text is not shown: pages have their own words, or only developers see it.
UNSEEN: Final = frozenset({"Http404", "AssertionError", "NotImplementedError", "TypeError", "Unaskable"})
CHOICES: Final = frozenset({"TextChoices", "IntegerChoices"})
GETTEXT: Final = frozenset({"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"})


def in_template(source: str) -> list[str]:
    """The texts of a template outside of {% translate %} and {% blocktranslate %}."""
    bare, hidden, until = "", list[str](), ""
    for token in Lexer(source).tokenize():
        name = token.contents.split(" ", 1)[0] if token.token_type == TokenType.BLOCK else ""
        if until:
            until = "" if name == until else until
        elif name in {"blocktranslate", "blocktrans", "comment"}:
            until = f"end{name}"
            hidden += FILTERS.findall(token.contents)
        elif token.token_type == TokenType.TEXT:
            bare += token.contents
        elif token.token_type != TokenType.COMMENT:
            hidden += [match[0] for match in FILTERS.finditer(token.contents)]
            if name in {"include", "with"}:
                hidden += [match["text"] for match in ARGUMENT.finditer(token.contents) if "(" not in match["text"]]
    return [*_read(bare), *hidden]


def _read(bare: str) -> Iterator[str]:
    """What is left of a page for its reader once everything that is translated is taken out."""
    bare = SLOT.sub(" ", ENTITY.sub(" ", MACHINE.sub(" ", bare)))
    for text in [*READ_ATTRIBUTE.findall(bare), *TAG.sub("\n", bare).split("\n")]:
        if set(WORD.findall(text)) - NAMES:
            yield " ".join(text.split())


def in_module(source: str) -> list[str]:
    """`line: text` of each text that is shown to people and is not passed to gettext, or is put together first."""
    tree = ast.parse(source)
    shown = [text for node in ast.walk(tree) for text in _of(node) if _is_bare(text)]
    lines = {f"{text.lineno}: {ast.unparse(text)}": None for text in [*shown, *_sentences(tree)]}
    return list(lines)


def _sentences(tree: ast.Module) -> Iterator[ast.expr]:
    """Every literal that is a whole sentence, wherever it is: in a list, an argument, a branch or a format string."""
    unseen = {id(text) for node in ast.walk(tree) for text in _unseen(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in unseen and _is_sentence(node):
            yield node


def _unseen(node: ast.AST) -> Iterator[ast.AST]:
    """Texts below this node that are translated, or that no editor or reader sees: docstrings, logs, some errors."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr):
            yield first.value
    elif isinstance(node, ast.Call):
        logs = isinstance(node.func, ast.Attribute) and _name(node.func.value) in LOGS
        if logs or _name(node.func) in GETTEXT | UNSEEN:
            yield from ast.walk(node)


def _of(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions below this node whose text people read."""
    if isinstance(node, ast.ClassDef):
        yield from _of_class(node)
    elif isinstance(node, ast.Call):
        name = _name(node.func)
        yield from (keyword.value for keyword in node.keywords if keyword.arg in READ)
        if name in GETTEXT:
            yield from (argument for argument in node.args if isinstance(argument, ast.JoinedStr))
        if name in SPEAKERS and len(node.args) > SPEAKERS[name] and (name not in MESSAGES or _is_messages(node.func)):
            yield node.args[SPEAKERS[name]]
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
        if _name(node.exc.func) not in UNSEEN and _is_sentence(node.exc.args[0]):
            yield node.exc.args[0]
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        yield from (value for key, value in pairs if isinstance(key, ast.Constant) and key.value in SHOWN)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.Return) and node.value and _is_sentence(node.value):
        yield node.value


def _of_class(node: ast.ClassDef) -> Iterator[ast.expr]:
    bases = {_name(base) for base in node.bases}
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        target = statement.targets[0]
        if bases & CHOICES and isinstance(statement.value, ast.Tuple):
            yield statement.value.elts[-1]
        if isinstance(target, ast.Name) and target.id in READ:
            yield statement.value


def _is_bare(text: ast.expr) -> bool:
    """Whether it is a literal with words in it: a constant, or one that is put together from constants."""
    if isinstance(text, ast.BinOp):
        return _is_bare(text.left) or _is_bare(text.right)
    if isinstance(text, ast.IfExp):
        return _is_bare(text.body) or _is_bare(text.orelse)
    return bool(set(WORD.findall(_words(text))) - NAMES)


def _words(text: ast.expr) -> str:
    if isinstance(text, ast.JoinedStr):
        return " ".join(str(part.value) for part in text.values if isinstance(part, ast.Constant))
    return text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else ""


def _is_sentence(text: ast.expr) -> bool:
    """An exception with a sentence is shown to people; one with a few words is for the log."""
    words = _words(text).strip()
    begins = words[:1].isupper() or (isinstance(text, ast.JoinedStr) and isinstance(text.values[0], ast.FormattedValue))
    return len(words.split()) > 2 and begins and words[-1:] in ".!?"


def _is_messages(function: ast.expr) -> bool:
    """`messages.error`, and not a logger's."""
    return isinstance(function, ast.Attribute) and _name(function.value) == "messages"


def _name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Name):
        return expression.id
    return expression.attr if isinstance(expression, ast.Attribute) else ""
