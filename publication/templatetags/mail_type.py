"""`{{ publication|display_in_mail }}` and `{{ publication|text_in_mail }}`: what a mail names as its fonts."""

from django import template
from django.utils.safestring import SafeString, mark_safe

from publication import typefaces
from publication.models import Publication

register = template.Library()


@register.filter
def display_in_mail(publication: Publication) -> SafeString:
    """The families of headlines, for an attribute or a style rule."""
    return mark_safe(typefaces.IN_MAIL[publication.typeface].display)  # noqa: S308  # a constant of ours


@register.filter
def text_in_mail(publication: Publication) -> SafeString:
    """The families of texts, for an attribute or a style rule."""
    return mark_safe(typefaces.IN_MAIL[publication.typeface].text)  # noqa: S308  # a constant of ours
