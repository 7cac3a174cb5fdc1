"""A story's text: Markdown with our own pictures in, sanitised HTML and plain text out.

A picture is on a line of its own, by its number:

    ![What it shows](image:12 "The line under it")

The picture's credit is added by itself; without the part in brackets, its own
alternative text is used, and without the part in quotes, its own caption. A word
in braces behind it, {small}, {left}, {right} or {wide}, says how large it is.
Cards begin with three colons (`mailkit.markdown_cards`, `articles.cards`).
"""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from articles import captions, cards, notes
from articles.models import Article, Image
from mailkit import html as mailkit_html
from mailkit.html import MarkupRefused, Rendered
from publication import scrolling

__all__ = ["MarkupRefused", "pictures_in", "render", "shown"]

MAX_FIGURES = 50
FIGURE = re.compile(
    r"^[ ]{0,3}!\[(?P<alt>[^\]\n]{0,300})\]\(image:(?P<pk>[0-9]{1,12})"
    r'(?:[ ]+"(?P<caption>[^"\n]{0,400})")?\)(?:[ ]?\{(?P<size>small|left|right|wide)\})?[ \t\r]*$',
    re.MULTILINE,
)
# As wide as such a picture is in a mail; a page makes it as wide as its column allows.
NARROW = frozenset({"small", "left", "right"})
NARROW_WIDTH = 320
HOW = '![What it shows](image:12 "The line under it")'


def render(markdown: str) -> Rendered:
    """Render a story's text, pictures included, through the one sanitiser.

    On failure: MarkupRefused with a sentence for the author, among other things
    for a picture that does not exist or that is not on its own line.
    """
    rendered = _convert(_with_figures(markdown), markdown)
    html, remarks = cards.settled(rendered.html)
    return dataclasses.replace(rendered, html=html, sha256=_sha256(html), left_out=rendered.left_out + remarks)


def shown(article: Article, *, place: cards.Place = "page", request: HttpRequest | None = None) -> SafeString:
    """The stored HTML, with its cards as a page, a feed or a mail may show it now.

    Only what `render` made is trusted: when the stored hash does not fit the
    stored HTML, somebody else wrote it, and it is shown as plain characters.
    """
    if _sha256(article.body_html) == article.body_sha256:
        html = cards.filled(article.body_html, place=place, request=request)
        html = notes.without_ways_back(html) if place == "mail" else notes.labelled(html)
        if place == "page":
            html = scrolling.reachable(html)
        return mark_safe(html)  # noqa: S308  # sanitised by `render`, as its hash shows; cards escape what they show
    return escape(article.body_html)


def pictures_in(markdown: str) -> list[int]:
    """The numbers of the pictures that the text names."""
    return [int(figure["pk"]) for figure in FIGURE.finditer(markdown)]


def _sha256(html: str) -> str:
    return hashlib.sha256(html.encode()).hexdigest()


# A form checks the text that the verb stores a moment later, and each conversion starts a process.
@functools.lru_cache(maxsize=4)
def _convert(expanded: str, markdown: str) -> Rendered:
    return mailkit_html.render(expanded, profile="article", typed=markdown)


def _with_figures(markdown: str) -> str:
    numbers = pictures_in(markdown)
    if len(numbers) > MAX_FIGURES:
        raise MarkupRefused(
            _("There are more than %(max_figures)s pictures in the text. Please divide the story.")
            % {"max_figures": MAX_FIGURES}
        )
    pictures = _pictures(numbers)

    def figure(match: re.Match[str]) -> str:
        image = pictures[int(match["pk"])]
        caption = captions.caption_before(caption=match["caption"] or image.caption, credit=image.credit)
        context = {"image": image, "alt": match["alt"] or image.alt, "caption": caption, "size": match["size"]}
        if match["size"] in NARROW and image.width > NARROW_WIDTH:
            context |= {"width": NARROW_WIDTH, "height": round(image.height * NARROW_WIDTH / image.width)}
        # One line: a blank line would end the raw HTML block.
        return f"\n\n{' '.join(render_to_string('articles/_figure.html', context).split())}\n\n"

    expanded = FIGURE.sub(figure, markdown)
    if "](image:" in expanded:
        raise MarkupRefused(f"A picture needs a line of its own, written like this: {HOW}")
    return expanded


def _pictures(numbers: Iterable[int]) -> dict[int, Image]:
    images = Image.objects.in_bulk(set(numbers))
    for pk in numbers:
        if pk not in images:
            raise MarkupRefused(
                _("There is no picture number %(pk)s. The list of pictures shows each one's number.") % {"pk": pk}
            )
    return images
