"""Form validation of Markdown: refuse the text with a reason, or save it with a message about what is not shown."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest

from mailkit import html


def check(*, form: forms.BaseForm, field: str, render: Callable[[str], html.Rendered]) -> str:
    """The text of the form's field, for its `clean_` method; what it loses is stored for `tell`.

    On failure: ValidationError with the sentence that says which limit the text goes over.
    """
    text: str = form.cleaned_data[field]
    if not text.strip():
        return text
    try:
        rendered = render(text)
    except html.MarkupRefused as refusal:
        raise forms.ValidationError(str(refusal)) from refusal
    form.left_out = rendered.left_out  # type: ignore[attr-defined]  # read by `tell` alone
    return text


def tell(*, request: HttpRequest, form: Any) -> None:
    """After saving: a warning for each thing in the text that readers will not see."""
    for sentence in getattr(form, "left_out", ()):
        messages.warning(request, sentence)
