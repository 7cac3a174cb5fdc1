"""`lang` and `dir` of words in another language than the page around them."""

from django import template
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString

from publication import languages
from publication.models import Publication

register = template.Library()


@register.simple_tag(takes_context=True)
def lang(context: template.Context, language: str) -> SafeString | str:
    """Attributes for an element whose words are in this language; nothing where the page is in the same one."""
    publication: Publication = context["publication"]
    if not language or language == languages.declared(publication=publication):
        return ""
    is_right_to_left = languages.is_right_to_left(language)
    if is_right_to_left == translation.get_language_bidi():
        return format_html(' lang="{}"', language)
    return format_html(' lang="{}" dir="{}"', language, "rtl" if is_right_to_left else "ltr")
