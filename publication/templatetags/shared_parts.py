"""`{% shared "footer" %}...{% endshared %}`: a part of the page that is the same on all pages of a language.

Inside is only what the context processors give. What else a part depends on follows its name, as in
`{% shared "navigation" section_here %}`, and must have few values.
"""

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.utils.safestring import SafeString

from publication import languages, shared_parts

register = template.Library()


class SharedNode(template.Node):
    """The part, written once for the request."""

    def __init__(self, nodelist: NodeList, names: list[FilterExpression]) -> None:
        self.nodelist = nodelist
        self.names = names

    def render(self, context: template.Context) -> SafeString:
        """The part, as it was or is written."""
        request = context.get("request")
        if request is None:
            return self.nodelist.render(context)
        # `lang` says when words are in another language than the page.
        language = languages.declared(publication=context["publication"])
        name = (language, *(str(each.resolve(context)) for each in self.names))
        return shared_parts.of(request).words(name, lambda: self.nodelist.render(context))


@register.tag("shared")
def do_shared(parser: Parser, token: Token) -> SharedNode:
    """`{% shared NAME... %}` until `{% endshared %}`."""
    names = [parser.compile_filter(each) for each in token.split_contents()[1:]]
    nodelist = parser.parse(("endshared",))
    parser.delete_first_token()
    return SharedNode(nodelist, names)
