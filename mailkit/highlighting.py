"""Code in colours: which of its words are a comment, a string, a keyword.

The marks are made after the sanitiser, from characters that it escaped, so an author can write none. What each looks
like is in the style sheets of pages and mails. Imported by the sandboxed child only.
"""

import re
from collections.abc import Iterator
from html import escape, unescape
from itertools import groupby
from typing import Final

from pygments.lexers import get_all_lexers, get_lexer_by_name  # type: ignore[import-untyped]  # it has no annotations
from pygments.token import (  # type: ignore[import-untyped]  # as above
    Comment,
    Generic,
    Keyword,
    Name,
    Number,
    String,
    Token,
)

# As `mailkit.sanitising` leaves code between fences.
CODE: Final = re.compile(r'(<pre><code class="language-([A-Za-z0-9+#_-]{1,30})">)([^<]*)(?=</code></pre>)')
# The library's own names: others could be those of anything that is installed.
KNOWN: Final = frozenset(alias for _, aliases, *_ in get_all_lexers(plugins=False) for alias in aliases)
# Longer code stays plain: nobody reads its words, and a page would carry the marks.
MOST_CHARACTERS: Final = 20_000
MARKS: Final = {
    Comment: "comment", Generic.Deleted: "deleted", Generic.Inserted: "inserted", Keyword: "keyword",
    Name.Attribute: "name", Name.Class: "name", Name.Decorator: "name", Name.Function: "name", Name.Tag: "keyword",
    Number: "number", String: "string",
}  # fmt: skip


def highlight(html: str) -> str:
    """Sanitised HTML whose code is marked with `<span class="code-...">`, where its language is one that is known."""
    return CODE.sub(_marked, html)


def _marked(code: re.Match[str]) -> str:
    text, language = unescape(code[3]), code[2].lower()
    if language not in KNOWN or len(text) > MOST_CHARACTERS:
        return code[0]
    pieces = list(_pieces(text, language))
    if "".join(piece for _, piece in pieces) != text:
        return code[0]
    return code[1] + "".join(_written(mark, piece) for mark, piece in pieces)


def _pieces(text: str, language: str) -> Iterator[tuple[str, str]]:
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    for mark, tokens in groupby(lexer.get_tokens(text), key=lambda token: _mark(token[0])):
        yield mark, "".join(piece for _, piece in tokens)


def _mark(kind: object) -> str:
    while kind is not Token:
        if kind in MARKS:
            return MARKS[kind]
        kind = kind.parent  # type: ignore[attr-defined]  # pygments makes its kinds of words when they are named
    return ""


def _written(mark: str, piece: str) -> str:
    written = escape(piece, quote=False)
    return f'<span class="code-{mark}">{written}</span>' if mark and piece.strip() else written
