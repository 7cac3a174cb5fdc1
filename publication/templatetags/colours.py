"""`{{ publication.accent_colour|readable_on:"#ffffff" }}` for places that a stylesheet does not reach, as mails."""

from django import template

from publication import colours

register = template.Library()


@register.filter
def readable_on(colour: str, ground: str) -> str:
    """The colour nearest to `colour` that can be read on `ground`."""
    return colours.readable(colour, on=ground)
