"""Characters that no text of ours holds: they break headers, feeds, terminals and databases, and nobody sees them.

Control characters (Unicode's Cc) come with what is pasted: U+000B is what Word writes for a soft line
break, NUL ends a string in C and is refused by PostgreSQL, ESC speaks to a terminal. Lone surrogates
have no bytes, and U+FFFE and U+FFFF are not allowed in XML. What separates words or lines becomes a
blank or a line feed, the rest goes. Controls that reorder text stay: `header_text` judges those.
"""

import re
from typing import Final

# What programs take for the end of a line, the separators of files and records among it.
_BREAKS: Final = "\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029"
_GONE: Final = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff"
_IN_LINES: Final = re.compile(f"[{_GONE}{_BREAKS}\t]")
_IN_TEXTS: Final = re.compile(f"[{_GONE}{_BREAKS.replace(chr(10), '')}]")
_LINE_END: Final = re.compile(f"\r\n|[{_BREAKS}]")
_GAP: Final = re.compile(f" *[{_BREAKS}\t][ \t{_BREAKS}]*")
_NOTHING: Final = re.compile(f"[{_GONE}]")


def line(value: str) -> str:
    """The text as one line: a tab or a line break, with the blanks around it, is one blank; at an end, nothing."""
    if not _IN_LINES.search(value):
        return value
    cleaned = _NOTHING.sub("", value)
    joined = _GAP.sub(" ", cleaned)
    return joined.strip(" ") if joined != cleaned else joined


def text(value: str) -> str:
    """The text with line feeds as its only line breaks; tabs and blanks stay."""
    return _LINE_END.sub("\n", _NOTHING.sub("", value)) if _IN_TEXTS.search(value) else value
