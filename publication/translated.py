"""Names and descriptions in the publication's further languages, beside those in its first one."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from publication import languages


class Words:
    """What a row is called on the page that is written: `row.local.name` for its `name`.

    `row.local.name_language` is the language of that: the page's, or the row's own where it is not translated.
    """

    def __init__(self, row: Translated) -> None:
        self._row = row

    def __getattr__(self, name: str) -> str:
        if (worded := name.removesuffix("_language")) != name and worded in self._row.TRANSLATED:
            return self._language_of(worded)
        if name not in self._row.TRANSLATED:
            raise AttributeError(name)
        return self._own(name) or getattr(self._row, name)

    @property
    def language(self) -> str:
        """The language of what it is called: the page's, or its own where it is not translated."""
        return self._language_of(self._row.TRANSLATED[0])

    def _language_of(self, name: str) -> str:
        if self._own(name):
            return languages.of_pages()
        return getattr(self._row, "language", "") or languages.first()

    def _own(self, name: str) -> str:
        words: str = self._row.translations.get(languages.of_pages(), {}).get(name, "")
        return words


class Translated(models.Model):
    """A row whose columns TRANSLATED are in the publication's first language.

    `translations` has them in further ones: {"ru": {"name": "Новости"}}. What is missing there is shown in the first.
    """

    TRANSLATED: ClassVar[tuple[str, ...]] = ("name",)

    translations = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def local(self) -> Words:
        """What it is called on the page or in the mail that is written."""
        return Words(self)
