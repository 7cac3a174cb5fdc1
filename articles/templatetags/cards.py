"""`{% card teaser kind="row" level=3 sizes="100vw" %}`: a story in a list, written once for all that show it so."""

from django import template

from articles import teasers
from articles.teasers import Teaser
from publication import shared_parts

register = template.Library()


@register.simple_tag(takes_context=True)
def card(
    context: template.Context, teaser: Teaser, *, sizes: str, kind: str = "", level: int = 2, first: bool = False
) -> str:
    """The card of a public story. `kind` is empty, wide, lead, second or row; `first` when it is seen at once."""
    return teasers.card(
        teaser,
        kind=kind,
        level=level,
        sizes=sizes,
        first=first,
        publication=context["publication"],
        parts=shared_parts.of(context["request"]),
    )
