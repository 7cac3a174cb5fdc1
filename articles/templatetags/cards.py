"""`{% card teaser kind="row" level=3 sizes="100vw" %}`: a story in a list, written once for all that show it so."""

from django import template
from django.template.loader import get_template

from articles.teasers import Teaser
from publication import shared_parts

register = template.Library()


@register.simple_tag(takes_context=True)
def card(
    context: template.Context, teaser: Teaser, *, sizes: str, kind: str = "", level: int = 2, first: bool = False
) -> str:
    """The card of a public story. `kind` is empty, wide, lead, second or row; `first` when it is seen at once."""
    how = {"kind": kind, "level": level, "sizes": sizes, "first": first}

    def written() -> str:
        shown = {"card": teaser, "publication": context["publication"], **how}
        return get_template("articles/_card.html").render(shown)

    name = ("card", teaser.pk, *how.values())
    return shared_parts.of(context["request"]).words(name, written, tags=teaser.tags)
