"""The fields of the further languages in the admin's form of a row that has names in several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django import forms
from django.forms.boundfield import BoundField
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from publication import languages
from publication.change_lists import ModelAdmin
from publication.translated import Translated


class InLanguage(NamedTuple):
    """The fields of one language. `is_open`: something is in them, or wrong with them."""

    name: str
    fields: list[BoundField]
    is_open: bool


class TranslatedForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript at run time
    """Reads and writes `translations` through fields such as `name_ru`; languages that are served no longer stay."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for language, name in self._translated():
            self.fields[_field(name, language)].initial = self.instance.translations.get(language, {}).get(name, "")

    def clean(self) -> dict[str, Any]:
        """As the form's own, with the further languages set on the row."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        translations = {language: dict(words) for language, words in self.instance.translations.items()}
        for language, name in self._translated():
            words = translations.setdefault(language, {})
            words[name] = cleaned.get(_field(name, language)) or ""
        self.instance.translations = {
            language: filled
            for language, words in translations.items()
            if (filled := {name: text for name, text in words.items() if text})
        }
        return cleaned

    def names_by_language(self) -> list[str]:
        """The names of the fields in further languages."""
        return [_field(name, language) for language, name in self._translated()]

    def by_language(self) -> list[InLanguage]:
        """The fields of each further language that the form has."""
        fields: dict[str, list[BoundField]] = {}
        for language, name in self._translated():
            fields.setdefault(language, []).append(self[_field(name, language)])
        return [
            InLanguage(languages.name_of(language), own, any(field.value() or field.errors for field in own))
            for language, own in fields.items()
        ]

    def _translated(self) -> list[tuple[str, str]]:
        named = [(language, name) for language in languages.further() for name in self.instance.TRANSLATED]
        return [(language, name) for language, name in named if _field(name, language) in self.fields]


class TranslatedFields:
    """What an admin or an inline of rows with words in several languages makes its form of."""

    model: Any
    form: Any
    formfield_for_dbfield: Any
    empty_words = gettext_lazy("Empty: as in the publication's first language.")

    def translated(self, request: HttpRequest, base: type[Any], spoken: Sequence[str]) -> type[TranslatedForm]:
        """The form with a field for each word in each of these languages."""
        extra = {
            _field(name, language): self._form_field(request, name, language)
            for language in spoken
            for name in self.model.TRANSLATED
        }
        return type("Translated" + base.__name__, (TranslatedForm, base), extra)

    def _form_field(self, request: HttpRequest, name: str, language: str) -> Any:
        column = self.model._meta.get_field(name)  # noqa: SLF001  # Django documents it as public
        widgets = getattr(getattr(self.form, "_meta", None), "widgets", None) or {}
        field: Any = self.formfield_for_dbfield(
            column, request, **({"widget": widgets[name]} if name in widgets else {})
        )
        field.widget.attrs["lang"] = language
        field.required = False
        field.label = _("%(what)s in %(language)s") % {"what": field.label, "language": languages.name_of(language)}
        field.help_text = self.empty_words
        return field


class TranslatedAdmin(TranslatedFields, ModelAdmin):
    """A model admin of rows that have names in several languages."""

    def further_languages(self, obj: Any) -> Sequence[str]:
        """Those for which the row's form has fields: each that has pages beside the first."""
        return languages.further()

    def get_form(self, request: HttpRequest, obj: Translated | None = None, change: bool = False, **kwargs: Any) -> Any:
        """With a field for each name in each further language."""
        base = kwargs.pop("form", self.form)
        kwargs["form"] = self.translated(request, base, self.further_languages(obj))
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Translated | None = None) -> Any:
        """A group of fields for each further language, below the others."""
        further = self.further_languages(obj)
        own = {language: [_field(name, language) for name in self.model.TRANSLATED] for language in further}
        apart = {name for names in own.values() for name in names}
        shown = [
            (title, {**options, "fields": [name for name in options["fields"] if name not in apart]})
            for title, options in super().get_fieldsets(request, obj)
        ]
        return [*shown, *((languages.name_of(language), {"fields": names}) for language, names in own.items())]


def _field(name: str, language: str) -> str:
    return f"{name}_{language.replace('-', '_')}"
