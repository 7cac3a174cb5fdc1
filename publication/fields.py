"""Text columns that hold no control characters, by whichever way a text comes: form, import, verb or shell.

They are Django's own, under Django's names in migrations. A text is cleaned (`mailkit.characters`) when
a form reads it, before anything judges it; when a row is validated; and when it is written, by `save`,
`bulk_create` or `update`. A row that was saved has what was stored. Only SQL of our own goes past them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models

from mailkit import characters

if TYPE_CHECKING:
    _Input = forms.Field
    _Column = models.Field[str, str]
    _Char = models.CharField[str, str]
    _Text = models.TextField[str, str]
    _Slug = models.SlugField[str, str]
    _Email = models.EmailField[str, str]
else:
    _Input = _Column = object
    _Char, _Text, _Slug, _Email = models.CharField, models.TextField, models.SlugField, models.EmailField


class _CleanInput(_Input):
    clean_text: Callable[[str], str] = staticmethod(characters.line)

    def to_python(self, value: Any) -> Any:
        """The text without control characters, before its length and all else is judged."""
        return super().to_python(self.clean_text(value) if isinstance(value, str) else value)


class LineInput(_CleanInput, forms.CharField):
    """One line, as somebody typed or pasted it: what was a line break is a blank."""


class TextInput(_CleanInput, forms.CharField):
    """Several lines, as somebody typed or pasted them: line feeds are their only breaks."""

    clean_text = staticmethod(characters.text)


class _SlugInput(_CleanInput, forms.SlugField):
    pass


class _EmailInput(_CleanInput, forms.EmailField):
    pass


class _CleanColumn(_Column):
    clean_text: Callable[[str], str] = staticmethod(characters.line)
    input_class: type[forms.Field] = LineInput

    def deconstruct(self) -> Any:
        """Django's own column: the database sees no difference."""
        name, _path, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{type(self).__name__}", args, kwargs

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """What a row that is validated gets, before its validators look at it."""
        return super().clean(self._cleaned(value), model_instance)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """What is written; rows are looked up by what they have, which may be older than this."""
        return super().get_db_prep_save(self._cleaned(value), connection)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The row itself gets what is stored."""
        given = super().pre_save(model_instance, add)
        cleaned = self._cleaned(given)
        if cleaned is not given:
            setattr(model_instance, self.attname, cleaned)
        return cleaned

    def formfield(self, **kwargs: Any) -> Any:
        """Django's own form field, which cleans what it reads; choices are chosen, not typed."""
        return super().formfield(**{"form_class": self.input_class, **kwargs})

    def _cleaned(self, value: Any) -> Any:
        return self.clean_text(value) if isinstance(value, str) else value


class CharField(_CleanColumn, _Char):
    """One line."""


class TextField(_CleanColumn, _Text):
    """Several lines."""

    clean_text = staticmethod(characters.text)
    input_class = TextInput


class SlugField(_CleanColumn, _Slug):
    """Part of an address."""

    input_class = _SlugInput


class EmailField(_CleanColumn, _Email):
    """An address."""

    input_class = _EmailInput
