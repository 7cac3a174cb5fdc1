"""Footnotes of a story as a place shows them: with words for those who hear the page, in the language that it speaks.

In a mail there is no way back: a note leads to the story's page, and the sign behind it would, too.
"""

import re
from typing import Final

from django.utils.html import escape
from django.utils.translation import gettext

# As `mailkit.sanitising` leaves them; older ones say the way back in English.
BACK: Final = re.compile(r'(?:&nbsp;|\s)*<a (?=[^>]*class="footnote-backref")[^>]*?href="([^"]*)"[^>]*>(.*?)</a>')
NOTES: Final = '<div class="footnote">'


def labelled(html: str) -> str:
    """Stored HTML whose notes are a part with a name, and whose ways back say where they lead."""
    if NOTES not in html:
        return html
    back = escape(gettext("Back to the text"))
    named = f'role="doc-endnotes" aria-label="{escape(gettext("Notes"))}"'
    way = rf'href="\1" rel="noopener" role="doc-backlink" title="{back}" aria-label="{back}">\2</a>'
    html = html.replace(NOTES, f'<div class="footnote" {named}>')
    return BACK.sub(f'&nbsp;<a class="footnote-backref" {way}', html)


def without_ways_back(html: str) -> str:
    """Stored HTML whose notes end with their words."""
    return BACK.sub("", html) if NOTES in html else html
