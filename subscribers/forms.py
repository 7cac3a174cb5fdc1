"""The sign-up form, on every reader page and on its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from mailkit import addresses
from subscribers import cadence_options, terms
from subscribers.models import Cadence, Newsletter

CHOOSE = _("Please choose at least one newsletter.")
GONE = _("One of these newsletters is not offered any more. Please choose again.")
FILLED = _("A field that people do not see was filled in, perhaps by your browser. Please send the form again.")
AGREE = _("Please tick the box. Without your agreement we may not write to you.")


class AddressField(forms.CharField):
    """A text that becomes an `addresses.Address`; the fault is one sentence that does not repeat it."""

    widget = forms.EmailInput

    def clean(self, value: Any) -> addresses.Address:
        """Normalise what was typed. On failure: ValidationError."""
        try:
            return addresses.normalise(str(value or ""))
        except addresses.InvalidAddress as error:
            raise forms.ValidationError(str(error), code="invalid_address") from None


class TrapField(forms.CharField):
    """A field that people do not see. It is named after nothing that a browser or a password manager fills in.

    What it holds was filled in by a program, perhaps the reader's own: the form comes back with a sentence
    and with the field empty, so that no reader is lost without a word. A robot that fills it again gets no further.
    """

    default_error_messages = {"filled": FILLED}

    def __init__(self) -> None:
        super().__init__(required=False, label=_("Leave this empty"))

    def clean(self, value: Any) -> str:
        """Nothing. On failure: ValidationError for any text."""
        if value:
            raise forms.ValidationError(self.error_messages["filled"], code="filled")
        return ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One newsletter on the form, as the template shows it."""

    newsletter: Newsletter
    is_chosen: bool
    is_only: bool
    cadence: forms.BoundField


class SignupForm(forms.Form):
    """Address, newsletters with their cadence, and consent. Data that fails comes back as it was typed.

    `page` is the path of the form's page. A bound form is checked against the
    terms and the offers of `now`, not of the time when it was shown.
    """

    address = AddressField(
        label=_("Your e-mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", "maxlength": 254}),
    )
    newsletters = forms.MultipleChoiceField(
        label=_("Newsletters"), error_messages={"required": CHOOSE, "invalid_choice": GONE}
    )
    consent = forms.BooleanField(error_messages={"required": AGREE})
    leave_empty = TrapField()
    form_token = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        now: datetime,
        page: str = "",
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), auto_id="signup_%s")
        self.now = now
        self.page = page
        self._typed = data or QueryDict()
        self.terms = terms.current()
        self.offered = cadence_options.offered()
        choices = [(offer.newsletter.slug, offer.newsletter.name) for offer in self.offered]
        newsletters = self.fields["newsletters"]
        assert isinstance(newsletters, forms.MultipleChoiceField)  # noqa: S101  # tells mypy what is declared above
        newsletters.choices = choices
        for offer in self.offered:
            self.fields[_cadence_name(offer)] = _cadence_field(offer)

    def clean(self) -> dict[str, Any]:
        """Check the seal of the form: its age, and that it showed the texts that are in force now."""
        cleaned: dict[str, Any] = super().clean() or {}
        try:
            shown = terms.check(token=cleaned.get("form_token", ""), terms=self.terms, now=self.now)
            self.page = shown.page
        except terms.FormRefused as refusal:
            self.add_error(None, str(refusal))
            if refusal.untick:
                self._untick()
        return cleaned

    @property
    def fresh_token(self) -> str:
        """The seal for showing the form now."""
        return terms.seal(terms=self.terms, page=self.page, now=self.now)

    @property
    def wishes(self) -> list[tuple[Newsletter, str]]:
        """What a valid form asks for: newsletters with their cadence."""
        chosen = set(self.cleaned_data["newsletters"])
        return [
            (offer.newsletter, self.cleaned_data[_cadence_name(offer)] or offer.default)
            for offer in self.offered
            if offer.newsletter.slug in chosen
        ]

    @property
    def choices(self) -> list[Choice]:
        """The newsletters for the template."""
        value = self["newsletters"].value() or []
        is_only = len(self.offered) == 1
        return [
            Choice(
                newsletter=offer.newsletter,
                is_chosen=is_only or offer.newsletter.slug in value,
                is_only=is_only,
                cadence=self[_cadence_name(offer)],
            )
            for offer in self.offered
        ]

    def _untick(self) -> None:
        """Agreement to a text cannot be carried over to the next."""
        data = QueryDict(mutable=True)
        for name, values in self._typed.lists():
            if name != "consent":
                data.setlist(name, values)
        self.data = data


class AddressForm(forms.Form):
    """An address alone, to which a link is mailed."""

    address = AddressField(
        label=_("Your e-mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", "maxlength": 254}),
    )
    leave_empty = TrapField()


def _cadence_name(offer: cadence_options.Offered) -> str:
    return f"cadence_{offer.newsletter.slug}"


def _cadence_field(offer: cadence_options.Offered) -> forms.ChoiceField:
    name = offer.newsletter.name
    wrong = _("Please choose how often you want %(newsletter)s.") % {"newsletter": name}
    if len(offer.cadences) == 1:
        changed = _("How often %(newsletter)s comes has changed: %(cadence)s. Please send the form again if it suits.")
        wrong = changed % {"newsletter": name, "cadence": Cadence(offer.cadences[0][0]).in_a_sentence}
    return forms.ChoiceField(
        choices=offer.cadences,
        required=False,
        initial=offer.default,
        label=_("How often %(newsletter)s comes") % {"newsletter": name},
        error_messages={"invalid_choice": wrong},
        widget=forms.Select if len(offer.cadences) > 1 else forms.HiddenInput,
    )
