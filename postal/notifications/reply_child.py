"""The sandboxed half of reading a reply: a stranger's mail in, the words of its writer out.

Runs as a process of its own (`mailkit.sandbox`): the parsers of mail and HTML take long over some inputs.
"""

from __future__ import annotations

import re
from typing import Any, Final

from mailkit import sandbox
from postal.notifications import mime, quoting

LONGEST: Final = 20_000
MOST_ATTACHMENTS: Final = 20
# Where mail programs put what they quote, in a mail that has HTML alone.
_QUOTED: Final = re.compile(r"<blockquote\b|<div[^<>]{0,300}(?:gmail_quote|divRplyFwdMsg|appendonsend)", re.IGNORECASE)
_INLINE: Final = re.compile(r"</?(?:a|abbr|b|em|font|i|small|span|strong|u)\b[^<>]{0,2000}>|\s+", re.IGNORECASE)
_UNSEEN: Final = re.compile(r"<(style|script|head)\b.{0,50000}?</\1\s*>", re.IGNORECASE | re.DOTALL)
_BLANKS: Final = re.compile(r"[^\S\n]+")


def respond(_request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """The text, what it quotes, and the names and sizes of what was attached."""
    parts = list(mime.leaves(mime.parse(payload)))
    text, quoted = _words([part for part in parts if not part.get_filename()])
    attached = [
        {"name": " ".join(mime.text(part.get_filename()).split())[:120], "size": len(mime.raw_content(part))}
        for part in parts
        if part.get_filename()
    ]
    return {
        "text": text[:LONGEST],
        "is_cut": len(text) > LONGEST,
        "quoted": quoted[:LONGEST],
        "attachments": attached[:MOST_ATTACHMENTS],
    }, b""


def _words(parts: list[mime.Flat]) -> tuple[str, str]:
    """Plain text before HTML, of which the part below the first quotation is folded."""
    plain = [part for part in parts if part.kind == "text/plain"]
    if any(mime.content(part).strip() for part in plain):
        return quoting.split(mime.prose(plain))
    html = "\n".join(mime.content(part) for part in parts if part.kind == "text/html")
    quotation = _QUOTED.search(html)
    own, below = (html[: quotation.start()], html[quotation.start() :]) if quotation else (html, "")
    text, quoted = quoting.split(_plain(own))
    return text, "\n".join(filter(None, (quoted, _plain(below))))


def _plain(html: str) -> str:
    # Blanks and line breaks of the source are one blank; those between the words are the blocks'.
    one_line = _INLINE.sub(lambda piece: "" if piece[0].startswith("<") else " ", _UNSEEN.sub("", html[:200_000]))
    text = _BLANKS.sub(" ", mime.plain(one_line))
    return re.sub(r"\n\s*\n\s*", "\n\n", text).strip()


if __name__ == "__main__":
    sandbox.serve(respond)
