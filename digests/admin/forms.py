"""Forms of the issue admin."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from core import database_clock
from digests import composing
from digests.models import Issue, IssueItem
from digests.preflight import history
from mailkit import html, message
from publication import fields, markdown_forms
from publication.markdown_widget import MarkdownTextarea
from publication.moments import MomentField
from subscribers import cadences, permissions
from subscribers.models import CadenceOffer

FARTHEST = timedelta(days=3_650)


class IssueForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript at run time
    """The fields of an issue that an editor writes."""

    class Meta:
        model = Issue
        fields = ["newsletter", "subject", "preheader", "introduction", "sponsor", "scheduled_for"]
        widgets = {"introduction": MarkdownTextarea(attrs={"rows": 8})}

    def clean_introduction(self) -> str:
        """Check that the text can be rendered."""
        return markdown_forms.check(
            form=self, field="introduction", render=lambda text: html.render(text, profile="letter")
        )

    def clean_sponsor(self) -> str:
        """Check that the line can be rendered."""
        return markdown_forms.check(form=self, field="sponsor", render=lambda text: html.render(text, profile="letter"))

    def clean_scheduled_for(self) -> datetime | None:
        """A time in the future, unless it is unchanged."""
        hour: datetime | None = self.cleaned_data["scheduled_for"]
        return _to_come(hour) if "scheduled_for" in self.changed_data else hour


class IssueItemForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript at run time
    """A story in a draft."""

    class Meta:
        model = IssueItem
        fields = ["article", "position", "included", "headline", "summary"]

    def clean_headline(self) -> str:
        """Check that it can be a subject, as the headline of the first story is."""
        message.validate_header_text(self.cleaned_data["headline"])
        return str(self.cleaned_data["headline"])

    def clean_summary(self) -> str:
        """One paragraph; inboxes show it after the subject."""
        summary = " ".join(self.cleaned_data["summary"].split())
        message.validate_header_text(summary)
        return summary

    def clean(self) -> dict[str, Any]:
        """Check that the story is public and in no other issue for the same readers."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in [name for name in cleaned if name.startswith(("headline_", "summary_"))]:
            self._check_words(cleaned, name)
        if cleaned.get("included") and cleaned.get("article"):
            try:
                composing.check_story(issue=self.instance.issue, article=cleaned["article"])
            except composing.Mismatch as refusal:
                raise forms.ValidationError(str(refusal)) from refusal
        return cleaned

    def _check_words(self, cleaned: dict[str, Any], name: str) -> None:
        """As `clean_headline` and `clean_summary`, for words in a further language."""
        words = cleaned[name] = " ".join(cleaned[name].split())
        try:
            message.validate_header_text(words)
        except forms.ValidationError as refusal:
            self.add_error(name, refusal)


class Approve(forms.Form):
    """When the issue leaves. An unusually large audience must be confirmed by typing its number."""

    when = MomentField(
        required=False, label=_("Leave at"), help_text=_("Empty: at the hour set on the issue, or at once.")
    )
    # Of the report on the page, so that nobody approves words that they have not seen.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    accepted = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    audience = forms.CharField(
        label=_("Number of readers"),
        help_text=_("This is more than twice as many as last time. Type the number of readers to go on."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, **facts: Any) -> None:
        super().__init__(*args)
        self.facts = facts
        warnings = facts["report"].warnings
        self.fields["accepted"].choices = [(one.key, one.text) for one in warnings]  # type: ignore[attr-defined]  # a ChoiceField
        if not history.is_unusual(audience=facts["audience"], last=facts["last_audience"]):
            del self.fields["audience"]

    def clean_when(self) -> datetime | None:
        """A time in the future."""
        return _to_come(self.cleaned_data["when"])

    def clean_audience(self) -> str:
        """Check that the number is the current audience."""
        typed: str = self.cleaned_data["audience"]
        if re.sub(r"\D", "", typed) != str(self.facts["audience"]):
            raise forms.ValidationError(
                _("Type %(audience)s to confirm that this many readers get it.") % {"audience": self.facts["audience"]}
            )
        return typed


class Reason(forms.Form):
    """A reason, shown to colleagues who open the issue."""

    reason = fields.LineInput(max_length=300, label=_("Reason"), widget=UnfoldAdminTextInputWidget)


class Rest(forms.Form):
    """Nothing to fill in: `facts` say who gets the rest."""

    def __init__(self, *args: Any, **facts: Any) -> None:
        super().__init__(*args)
        self.facts = facts


class Failed(Rest):
    """Nothing to fill in: `facts` say how many failed, and who gets it now."""


class Proof(forms.Form):
    """Recipients of a proof. Each gets a mail of their own."""

    to = forms.CharField(
        label=_("Addresses"), help_text=_("Several: with commas between."), widget=UnfoldAdminTextInputWidget
    )

    def offer(self, variants: list[tuple[str, str]]) -> None:
        """Let it be one of these variants, by key and name; without any nothing is asked."""
        if variants:
            self.fields["variant"] = forms.ChoiceField(
                choices=variants, required=False, label=_("Variant"), widget=UnfoldAdminSelectWidget
            )

    def clean_to(self) -> list[str]:
        """The addresses, without duplicates."""
        recipients = list(dict.fromkeys(filter(None, re.split(r"[,;\s]+", self.cleaned_data["to"]))))
        if len(recipients) > 10:
            raise forms.ValidationError(_("A proof goes to at most ten addresses at a time."))
        return recipients


class Compose(forms.Form):
    """The digest to compose now."""

    offer = forms.ModelChoiceField(
        CadenceOffer.objects.none(), label=_("Digest"), empty_label=None, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, user: User) -> None:
        super().__init__(*args)
        offers = CadenceOffer.objects.filter(is_active=True, cadence__in=cadences.DIGESTS).select_related("newsletter")
        mine = permissions.of_newsletters(offers, user=user, field="newsletter")
        self.fields["offer"].queryset = mine  # type: ignore[attr-defined]  # a ModelChoiceField, which the stubs do not know


def _to_come(hour: datetime | None) -> datetime | None:
    """The time, if an issue may be scheduled for it. On failure: ValidationError."""
    now = database_clock.now()
    if hour is not None and not now < hour <= now + FARTHEST:
        raise forms.ValidationError(_("Choose an hour that is still to come, within ten years; or leave it empty."))
    return hour
