"""The two forms of a sign-up: an address, on every reader page; then the newsletters and the terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from mailkit import addresses
from publication import shared_parts
from subscribers import cadence_options, form_faults, terms
from subscribers.models import Cadence, Newsletter

SEAL: Final = "form_token"
CADENCE: Final = "cadence_"

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


class AddressForm(form_faults.WithFaults):
    """An address alone: the first step of a sign-up, after which nothing is stored and no mail is sent."""

    address = AddressField(
        label=_("Your e-mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", "maxlength": 254}),
    )


class NewAddressForm(AddressForm):
    """The address to which a reader wants to be written from now on."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["address"].label = _("Your new e-mail address")


class TrappedForm(AddressForm):
    """An address, and the field that people do not see: something happens when this form is sent."""

    leave_empty = TrapField()

    def place_of(self, name: str) -> str:
        """Nobody is sent to the field that people do not see."""
        return "" if name == "leave_empty" else super().place_of(name)


class SignupForm(TrappedForm):
    """The second step: newsletters with their cadence, and consent. Data that fails comes back as it was typed.

    `page` is the path of the page where the reader began, `parts` are those of the request. A bound form is checked
    against the terms and the offers of its own request, not of the time when it was shown.
    """

    newsletters = forms.MultipleChoiceField(
        label=_("Newsletters"), error_messages={"required": CHOOSE, "invalid_choice": GONE}
    )
    consent = forms.BooleanField(error_messages={"required": AGREE})
    form_token = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        now: datetime,
        page: str = "",
        initial: Mapping[str, Any] | None = None,
        parts: shared_parts.SharedParts,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), auto_id="signup_%s")
        self.now = now
        self.page = page
        self._typed = data or QueryDict()
        self.terms = parts.words("terms", terms.current)
        self.offered = parts.words("cadence options", cadence_options.offered)
        choices = [(offer.newsletter.slug, offer.newsletter.local.name) for offer in self.offered]
        newsletters = self.fields["newsletters"]
        assert isinstance(newsletters, forms.MultipleChoiceField)  # noqa: S101  # tells mypy what is declared above
        newsletters.choices = choices
        for offer in self.offered:
            self.fields[_cadence_name(offer)] = _cadence_field(offer)

    def clean(self) -> dict[str, Any]:
        """Check the seal of the form: its age, and that it showed the texts that are in force now."""
        cleaned: dict[str, Any] = super().clean() or {}
        try:
            shown = terms.check(token=cleaned.get(SEAL, ""), terms=self.terms, now=self.now)
            self.page = shown.page
        except terms.FormRefused as refusal:
            self.refuse(str(refusal), untick=refusal.untick)
        return cleaned

    def refuse(self, sentence: str, *, untick: bool = True) -> None:
        """Have the form come back. `untick`: nobody knows to which text, or by whom, its box was ticked."""
        self.add_error(None, sentence)
        if untick:
            self._untick()

    def place_of(self, name: str) -> str:
        """The first newsletter's box, for all of them; where there is one newsletter, there is no box."""
        if name == "newsletters":
            return f"signup_newsletter_{self.offered[0].newsletter.pk}" if len(self.offered) > 1 else ""
        return super().place_of(name)

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


def carried(sent: QueryDict) -> dict[str, Any]:
    """What the second step shows of what came with the address; never the consent, which is given to a text."""
    chosen = {name: value for name, value in sent.items() if name.startswith(CADENCE)}
    return chosen | {"address": sent.get("address", ""), "newsletters": sent.getlist("newsletters")}


def _cadence_name(offer: cadence_options.Offered) -> str:
    return CADENCE + offer.newsletter.slug


def _cadence_field(offer: cadence_options.Offered) -> forms.ChoiceField:
    name = offer.newsletter.local.name
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
