"""The part of a story's form that meets what somebody else saved since the form was opened: nothing is lost."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from articles import conflicts, revisions, unsaved
from articles.models import Article, Author, Revision
from staff import names

MEETING = _(
    "%(who)s saved this story at %(when)s, while you were writing. Nothing of yours is lost, and nothing is saved yet. "
    "Choose below what stays."
)
TEXTS = ("headline", "standfirst", "body_markdown", "slug")
ROWS = ("section", "lead_image")


class MeetingForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript at run time
    """Compares itself with the last version, under the story's lock, before it is saved.

    What only somebody else changed stays as they saved it. Where both changed a field, `conflicts` has both values,
    and the form is not valid until it is posted with `choose_<field>`: mine, theirs, or both for the text. `met` is
    the version that the choice was made against; when a newer one is there, it is asked again.
    """

    base = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conflicts: list[dict[str, Any]] = []
        self.met = 0
        self.taken_authors: list[Author] | None = None
        last = self.instance.revisions.first() if self.instance.pk else None
        if "base" in self.fields:
            self.fields["base"].initial = last.number if last else 0

    def clean(self) -> dict[str, Any]:
        """Merge with what somebody else saved; ValidationError while there is something to choose."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk:
            row = Article.objects.select_for_update(no_key=True).get(pk=self.instance.pk)
            last = row.revisions.select_related("created_by").first()
            if last is not None and last.number != (cleaned.get("base") or 0):
                self._meet(cleaned, row, last)
        return cleaned

    def _meet(self, cleaned: dict[str, Any], row: Article, last: Revision) -> None:
        begun = row.revisions.filter(number=cleaned.get("base") or 0).first()
        now = revisions.take(row)
        comparison = conflicts.compare(begun=begun.snapshot if begun else None, theirs=now, mine=self._mine(cleaned))
        for name in comparison.only_theirs:
            self._take(name, cleaned, row)
        is_open = False
        for conflict in comparison.conflicts:
            choice = self.data.get(f"choose_{conflict.field}") if self.data.get("met") == str(last.number) else None
            if choice == "theirs":
                self._take(conflict.field, cleaned, row)
            elif choice == "both" and conflict.merged is not None:
                cleaned[conflict.field] = conflict.merged
            is_open = is_open or choice not in {"mine", "theirs", "both"}
            label = self.fields[conflict.field].label if conflict.field in self.fields else _("Authors")
            self.conflicts.append({"label": label, "conflict": conflict, "choice": choice})
        if is_open:
            self.met = last.number
            raise forms.ValidationError(MEETING % {"who": _who(last), "when": _when(last)})
        self.conflicts = []

    def _mine(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """The form's fields as a snapshot has them; those that could not be read are missing."""
        mine: dict[str, Any] = {name: cleaned[name] for name in TEXTS if name in cleaned}
        for name in cleaned.keys() & set(ROWS):
            mine[name] = revisions.named(cleaned[name]) if cleaned[name] else None
        if "tags" in cleaned:
            mine["tags"] = [revisions.named(tag) for tag in cleaned["tags"]]
        if "published_at" in cleaned:
            mine["published_at"] = cleaned["published_at"].isoformat() if cleaned["published_at"] else None
        if f"{unsaved.PREFIX}-TOTAL_FORMS" in self.data:
            mine["authors"] = [revisions.named(each) for each in unsaved.authors(data=self.data)]
        return mine

    def _take(self, name: str, cleaned: dict[str, Any], row: Article) -> None:
        """Let the field be as it was saved."""
        if name == "authors":
            self.taken_authors = [entry.author for entry in row.bylines.select_related("author")]
        elif name == "tags":
            cleaned[name] = row.tags.all()
        else:
            cleaned[name] = getattr(row, name)


def _who(revision: Revision) -> str:
    return names.of(revision.created_by) or str(_("Somebody"))


def _when(revision: Revision) -> str:
    return f"{timezone.localtime(revision.created_at):%H:%M}"
