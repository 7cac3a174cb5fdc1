"""Captions: the text of a picture and its credit, kept apart so that readers cannot mistake one for the other."""

import re
import unicodedata
from collections.abc import Iterable

from django.utils.translation import gettext, pgettext

# What ends a sentence, in Latin, Chinese and Japanese, Arabic, Devanagari, Armenian and Ethiopic.
_ENDS = tuple(".!?\u2026\u203d\u3002\uff0e\uff01\uff1f\u061f\u06d4\u0964\u0965\u0589\u1362")
_HANGS = re.compile(r"[\s,;:\u2013\u2014-]+\Z")
# "Photo: Jane Roe", "© Agency": it says by itself what it is.
_SAYS_WHOSE = re.compile(r"©|\(c\)|[^\W\d_]{3,20}\s?:", re.IGNORECASE)


def caption_before(*, caption: str, credit: str) -> str:
    """The caption before a credit: it ends as a sentence does. Without a credit, as it was typed."""
    caption = caption.strip()
    if not caption or not credit.strip() or _ends(caption):
        return caption
    return f"{_HANGS.sub('', caption)}."


def credit_line(credit: str) -> str:
    """“Picture: Jane Roe/Agency”; a credit that says so itself stays as it is, and an empty one empty."""
    credit = credit.strip()
    return credit if not credit or _SAYS_WHOSE.match(credit) else gettext("Picture: %(credit)s") % {"credit": credit}


def names(authors: Iterable[str]) -> str:
    """“A”, “A and B”, “A, B and C”; empty for nobody."""
    *first, last = [*authors] or [""]
    return f" {pgettext('before the last author', 'and')} ".join(filter(None, [", ".join(first), last]))


def note(*, caption: str, credit: str) -> str:
    """Both in one line of plain text."""
    return " ".join(filter(None, [caption_before(caption=caption, credit=credit), credit_line(credit)]))


def _ends(caption: str) -> bool:
    """Whether the text ends with punctuation, also inside closing quotation marks or brackets."""
    while caption and (caption[-1] in "\"'" or unicodedata.category(caption[-1]) in {"Pe", "Pf", "Pi"}):
        caption = caption[:-1]
    return caption.endswith(_ENDS)
