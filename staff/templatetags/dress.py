"""Gives the fields and buttons of any form the look that the admin's have."""

from collections.abc import Sequence
from typing import Final

from django import forms, template
from unfold.widgets import BASE_INPUT_CLASSES, CHECKBOX_CLASSES, SELECT_CLASSES

register = template.Library()

BUTTON: Final = "cursor-pointer font-medium inline-flex items-center justify-center px-3 py-2 rounded-default"
PLAIN: Final = "border border-base-200 bg-white shadow-xs text-important dark:border-base-700 dark:bg-transparent"
# A tag of a button -> how it looks; without one of them it is the main button of its page.
LOOKS: Final = {
    "danger": "bg-red-600 border border-transparent text-white", "link": "underline", "outline": PLAIN, "plain": PLAIN,
    "secondary": PLAIN,
}  # fmt: skip
MAIN: Final = "bg-primary-600 border border-transparent text-white"


@register.filter
def dressed(form: forms.Form) -> forms.Form:
    """The same form, with django-unfold's classes on its widgets and no placeholder that repeats the label."""
    for field in form.fields.values():
        match field.widget:
            case forms.HiddenInput():
                continue
            case forms.CheckboxInput():
                classes = CHECKBOX_CLASSES
            case forms.Select():
                classes = SELECT_CLASSES
            case _:
                classes = BASE_INPUT_CLASSES
        field.widget.attrs["class"] = " ".join(classes)
        field.widget.attrs.pop("placeholder", None)
    return form


@register.filter
def button(tags: Sequence[str] | None) -> str:
    """The classes of a button with these tags."""
    look = next((LOOKS[tag] for tag in tags or () if tag in LOOKS), MAIN)
    return f"{BUTTON} {look}"


@register.filter
def linked(tags: Sequence[str] | None) -> str:
    """The classes of a link that looks like a button: a plain one, unless it has tags."""
    return button(tags or ["plain"])
