"""What editors fill in."""

import secrets
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from articles import markup, review, revisions, slugs, translations
from articles.admin.meeting import MeetingForm
from articles.models import Article
from articles.refusals import NotReady
from core import database_clock
from publication import fields, languages, markdown_forms
from publication.forms import LanguageChoice
from publication.markdown_widget import MarkdownTextarea
from staff import names

WRITING = (
    "Markdown, as on GitHub: **bold**, *italic*, ~~struck~~, [words](https://link), ## Heading, - list, - [ ] task, "
    f"> quotation. A picture is on a line of its own, by its number in the list of pictures: {markup.HOW}"
)
# What the form writes into the story's own row; tags and bylines are rows of their own.
COLUMNS = ("headline", "slug", "standfirst", "body_markdown", "section", "lead_image", "published_at", "language")


class StoryForm(MeetingForm):
    """A story's words and related objects. Its state is not here: actions change it."""

    copy = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)
    why = fields.LineInput(
        required=False,
        max_length=200,
        label=_("What you change, and why"),
        widget=UnfoldAdminTextInputWidget,
        help_text=_("For the team, in the story's versions. Mails that were sent keep the old words."),
    )

    class Meta:
        model = Article
        fields = [*COLUMNS, "tags"]
        help_texts = {
            "body_markdown": WRITING,
            "published_at": _("The date readers see. Empty: the moment of publishing."),
        }
        widgets = {
            "headline": UnfoldAdminTextareaWidget(attrs={"rows": 1, "maxlength": 200}),
            "standfirst": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "body_markdown": MarkdownTextarea(attrs={"rows": 28}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "slug" in self.fields:
            self.fields["slug"].required = False
        if "language" in self.fields:
            self.fields["language"] = LanguageChoice(
                label=_("Language"),
                own=self.instance.language or languages.first(),
                help_text=_("Readers find the story on the pages of this language."),
            )
        if "copy" in self.fields:
            self.fields["copy"].initial = secrets.token_hex(16)

    def clean_headline(self) -> str:
        """One line, however it was pasted."""
        return " ".join(self.cleaned_data["headline"].splitlines())

    def clean_slug(self) -> str:
        """An address that no other story has or had; one of the headline's words when none is given."""
        slug: str = self.cleaned_data["slug"] or slugs.free(headline=self.cleaned_data.get("headline", ""))
        try:
            slugs.check(slug=slug, article_id=self.instance.pk)
        except slugs.SlugTaken as error:
            raise forms.ValidationError(str(error)) from error
        return slug

    def clean_language(self) -> str:
        """A language in which the story is not yet."""
        language: str = self.cleaned_data["language"] or self.instance.language
        try:
            translations.check_language(article=self.instance, language=language)
        except NotReady as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return language

    def clean_body_markdown(self) -> str:
        """A text that can be shown."""
        return markdown_forms.check(form=self, field="body_markdown", render=markup.render)

    def clean_published_at(self) -> datetime | None:
        """A date that readers can believe."""
        shown: datetime | None = self.cleaned_data["published_at"]
        if shown is not None and shown > database_clock.now():
            raise forms.ValidationError(_("This date is still to come. To publish later, use the action Schedule."))
        return shown

    def clean(self) -> dict[str, Any]:
        """As it is once it has met what somebody else saved; a public story has a date."""
        cleaned = super().clean()
        if "published_at" in cleaned and cleaned["published_at"] is None and self.instance.is_public:
            self.add_error("published_at", _("A published story needs the date that readers see."))
        if self.instance.is_public and "why" in self.fields and not cleaned.get("why") and self._has_new_words(cleaned):
            self.add_error("why", _("Readers know these words already. Say what you change, and why."))
        return cleaned

    def _has_new_words(self, cleaned: dict[str, Any]) -> bool:
        last = self.instance.revisions.first()
        return last is not None and bool(
            revisions.changed_words(before=last.snapshot, after={**last.snapshot, **cleaned})
        )


class Person(forms.ModelChoiceField):  # type: ignore[type-arg]  # no subscript at run time
    """Somebody of the team, by the name that the team knows."""

    def label_from_instance(self, obj: User) -> str:
        """The full name, or the one of the account."""
        return names.of(obj)


class Reason(forms.Form):
    """Why a story is taken back."""

    reason = fields.LineInput(
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("One or two sentences. Readers who come to the story's address see them."),
    )


class ReturnReason(forms.Form):
    """What the author is to change."""

    reason = fields.TextInput(
        max_length=500, label=_("What is to be changed"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 4})
    )


class Assignee(forms.Form):
    """Who is to read it."""

    assignee = Person(
        queryset=User.objects.none(),
        required=False,
        label=_("Who reads it"),
        empty_label=_("Every editor"),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignee"].queryset = review.readers()  # type: ignore[attr-defined]  # a field of model choices


class CorrectionText(forms.Form):
    """What was wrong, and what is right."""

    text = fields.TextInput(
        max_length=1000,
        widget=UnfoldAdminTextareaWidget,
        help_text=_("Shown under the story with today's date. Say what was wrong, and what is right."),
    )
