"""The form field of a Markdown text in the admin: a textarea that becomes an editor where scripts run."""

import json
from typing import Any

from django.forms.widgets import Script
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

# What markdown-editor.js shows, by the names that it uses.
LABELS: dict[str, str | Promise] = {
    "toolbar": _("Formatting"),
    "text": _("Text"),
    "bold": _("Bold"),
    "italic": _("Italic"),
    "link": _("Link"),
    "heading": _("Heading"),
    "subheading": _("Smaller heading"),
    "quote": _("Quotation"),
    "list": _("List"),
    "numbered": _("Numbered list"),
    "struck": _("Struck out"),
    "rule": _("Dividing line"),
    "search": _("Find and replace"),
    "undo": _("Undo"),
    "redo": _("Do again"),
    "save": _("Save"),
    "help": _("Keyboard shortcuts"),
    "helptext": _("The Tab key leaves the text. The arrow keys move through the buttons above it."),
    "close": _("Close"),
}
# CodeMirror's own words (its documentation lists them), and ours.
PHRASES: dict[str, str | Promise] = {
    "Find": _("Find"),
    "Replace": _("Replace with"),
    "next": _("next"),
    "previous": _("previous"),
    "all": _("select all"),
    "match case": _("match case"),
    "regexp": _("pattern"),
    "by word": _("whole words"),
    "replace": _("replace"),
    "replace all": _("replace all"),
    "close": _("close"),
    "current match": _("current match"),
    "on line": _("on line"),
    "replaced match on line $": _("replaced on line $"),
    "replaced $ matches": _("replaced $ times"),
}


class MarkdownTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]  # django-unfold publishes no types
    """A textarea whose text is Markdown."""

    class Media:
        css = {"all": ["publication/markdown-editor.css"]}
        js = [
            Script("publication/codemirror.js", defer=True),
            Script("publication/markdown-editor.js", defer=True),
        ]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """With the words of the editor, in the language of the request."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        labels: dict[str, Any] = {key: str(words) for key, words in LABELS.items()}
        labels["phrases"] = {key: str(words) for key, words in PHRASES.items()}
        context["widget"]["attrs"]["data-markdown"] = json.dumps(labels, ensure_ascii=False)
        return context
