"""Cards that are filled when they are shown: another story, the sign-up, something of another site.

A story's stored HTML has an empty place for each (`mailkit.markdown_cards`). It is filled for a page, a feed or
a mail from what is true at that moment, so a headline that changed is shown as it is now, and a story that was
withdrawn has no card. See decision 0113.
"""

import re
from collections.abc import Callable, Iterable
from html import unescape
from typing import Final, Literal

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext

from articles import embeds
from articles.models import Article, SlugRedirect
from core import page_tags
from publication import urls

Place = Literal["page", "feed", "mail"]

_CARD: Final = re.compile(r'<div data-card="(story|signup|embed)(?: ([^"]+))?">([^<]*)</div>')
# The innermost, where an author wrote another one within it.
_BOX: Final = re.compile(r'<aside class="(card-(?:note|warning))">((?:(?!<aside\b).)*?)</aside>', re.DOTALL)
_FRAME: Final = re.compile(r' data-frame="(https://[^/"]+)/')


def settled(html: str) -> tuple[str, tuple[str, ...]]:
    """Rendered HTML that names each story by its number, which stays when its address changes; and what an author
    should know: a sentence for each story that there is not, and for each embed that has no player here.
    """
    cards = [(kind, unescape(name)) for kind, name, _title in _CARD.findall(html)]
    numbers = _numbers({name for kind, name in cards if kind == "story"})

    def named(card: re.Match[str]) -> str:
        if card[1] != "story":
            return card[0]
        return f'<div data-card="story {numbers[card[2]]}">{card[3]}</div>' if card[2] in numbers else ""

    remarks = [_remark(kind, name, numbers) for kind, name in cards]
    return _CARD.sub(named, html), tuple(filter(None, remarks))


def _remark(kind: str, name: str, numbers: dict[str, int]) -> str:
    if kind == "story" and name not in numbers:
        return gettext(
            "There is no story at the address “%(slug)s”, so its card is left out. The card ::: story needs the last "
            "part of its address."
        ) % {"slug": name}
    if kind == "embed" and embeds.read(name).provider is None:
        return gettext("“%(url)s” has no player here. Readers get a link to it.") % {"url": name}
    return ""


def filled(html: str, *, place: Place, request: HttpRequest | None = None) -> str:
    """Sanitised HTML with its cards as they are in this place now. At most one query."""
    cards = _CARD.findall(html)
    stories = _public_stories(int(name) for kind, name, _title in cards if kind == "story" and name.isdecimal())

    def shown(card: re.Match[str]) -> str:
        kind, name, title = card[1], unescape(card[2] or ""), unescape(card[3])
        if kind == "story":
            story = stories.get(int(name)) if name.isdecimal() else None
            return _written(place, "story", {"story": story}, request) if story else ""
        if kind == "embed":
            return _written(place, "embed", {"embed": embeds.read(name), "title": title}, request)
        return _written(place, "signup", {"slug": name}, request) if place != "mail" else ""

    complete = _CARD.sub(shown, html)
    return _BOX.sub(_table, complete) if place == "mail" else complete


def shows_stories(html: str) -> bool:
    """Whether stored HTML has cards of other stories."""
    return '<div data-card="story ' in html


def frame_origins(html: str) -> list[str]:
    """The origins from which the page loads something when a reader asks for it."""
    return sorted(set(_FRAME.findall(html)))


def _table(box: re.Match[str]) -> str:
    """A box as mail programs draw one; Outlook gives no other element a ground and a padding."""
    opening = '<table class="card" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">'
    return f'{opening}<tbody><tr><td class="{box[1]}">{box[2]}</td></tr></tbody></table>'


def _written(place: Place, kind: str, context: dict[str, object], request: HttpRequest | None) -> str:
    context = context | {"site": urls.absolute("/").rstrip("/")}
    return " ".join(render_to_string(f"articles/cards/{place}_{kind}.html", context, request).split())


def _numbers(names: set[str]) -> dict[str, int]:
    """Number by what an author typed: an address, an address that it once had, or the number itself."""
    if not names:
        return {}
    by_number = {int(name) for name in names if name.isdecimal() and len(name) < 10}
    queries: Iterable[Callable[[], Iterable[tuple[str, int]]]] = (
        lambda: ((str(pk), pk) for pk in Article.objects.filter(pk__in=by_number).values_list("pk", flat=True)),
        lambda: SlugRedirect.objects.filter(slug__in=names).values_list("slug", "article_id"),
        lambda: Article.objects.filter(slug__in=names).values_list("slug", "pk"),
    )
    return {name: pk for query in queries for name, pk in query()}


def _public_stories(numbers: Iterable[int]) -> dict[int, Article]:
    asked = set(numbers)
    if not asked:
        return {}
    # Also those that are not public now: their cards are shown when they come back.
    page_tags.add(*(f"article:{number}" for number in asked))
    stories = Article.objects.published().without_text().filter(pk__in=asked)
    return {story.pk: story for story in stories.select_related("section", "lead_image")}
