"""The authors of a story in its form: written as a list, so that it does not matter who changed which row meanwhile."""

from typing import Any

from django import forms
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from articles.models import Article, Author, Byline


class BylineForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript at run time
    """One author. That nobody is named twice is the list's business: the rows in the database are replaced."""

    class Meta:
        model = Byline
        fields = ("author", "position")

    def validate_unique(self) -> None:
        """By the list."""

    def validate_constraints(self) -> None:
        """By the list."""


class BylineFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # no subscript at run time
    """The authors in their order. `taken` is the list that somebody else saved, where that one is to stay."""

    taken: list[Author] | None = None

    def initial_form_count(self) -> int:
        """Posted rows are authors, not rows of the database, which may be others by now."""
        return 0 if self.is_bound else super().initial_form_count()

    def add_fields(self, form: Any, index: int | None) -> None:
        """The number of a row may be that of one which is gone."""
        super().add_fields(form, index)
        form.fields["id"] = forms.CharField(required=False, widget=forms.HiddenInput)

    def authors(self) -> list[Author]:
        """Those that the form has, in its order."""
        rows = [form.cleaned_data for form in self.forms if form not in self.deleted_forms]
        named = [row for row in rows if row.get("author")]
        return [row["author"] for row in sorted(named, key=lambda row: row.get("position") or 0)]

    def save(self, commit: bool = True) -> list[Any]:
        """Write the list, if it is another than the story has."""
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        authors = self.authors() if self.taken is None else self.taken
        story: Article = self.instance
        if [entry.author_id for entry in story.bylines.all()] == [author.pk for author in authors]:
            return []
        story.bylines.all().delete()
        rows = [Byline(article=story, author=author, position=place) for place, author in enumerate(authors)]
        self.new_objects = Byline.objects.bulk_create(rows)
        return self.new_objects


class BylineInline(TabularInline):  # type: ignore[misc]  # django-unfold publishes no types
    """The authors in their order."""

    model = Byline
    form = BylineForm
    formset = BylineFormSet
    extra = 0
    ordering_field = "position"
    hide_ordering_field = True
    autocomplete_fields = ("author",)
    verbose_name_plural = _("Authors, in the order in which readers see them")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest | None, **kwargs: Any) -> Any:
        """With a name of its own: the head of the column is none to those who hear the page."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.widget.attrs["aria-label"] = _("Author")
        return field
