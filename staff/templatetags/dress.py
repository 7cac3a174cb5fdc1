"""Gives the fields of any form the look that the admin's have."""

from django import forms, template
from unfold.widgets import BASE_INPUT_CLASSES, CHECKBOX_CLASSES, SELECT_CLASSES

register = template.Library()


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
