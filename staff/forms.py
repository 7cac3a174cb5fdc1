"""The forms of accounts."""

from typing import Any

from allauth.account.forms import LoginForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AddWebAuthnForm, LoginWebAuthnForm
from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from core import database_clock
from mailkit import addresses
from publication import fields
from publication.models import TIME_ZONES
from staff import passwords, role_names, roles


class SignIn(LoginForm):  # type: ignore[misc]  # django-allauth publishes no types
    """Name or address, and password."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["login"].label = _("Name or address")
        self.fields["login"].widget.attrs |= {"autofocus": True, "autocomplete": "username"}
        # django-allauth puts a link there, in English that is not ours; the page has one.
        self.fields["password"].help_text = ""


class SignInByPasskey(LoginWebAuthnForm):  # type: ignore[misc]  # django-allauth publishes no types
    """What a passkey says to a challenge of ours; valid, it is a sign-in."""

    def clean_credential(self) -> Authenticator:
        """The key that was used. On failure: ValidationError, also for what no browser sends."""
        try:
            return super().clean_credential()
        # django-allauth and fido2 take the parts of a reply out of it as if they were there.
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise forms.ValidationError(_("This passkey opens no account here.")) from error


class AddPasskey(AddWebAuthnForm):  # type: ignore[misc]  # django-allauth publishes no types
    """A passkey that opens the account alone, unless its owner wants the password beside it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["name"].label = _("A name for it")
        self.fields["passwordless"].label = _("Sign in with it alone, without the password")
        self.fields["passwordless"].help_text = _("It asks for a finger, a face or a PIN, which a stranger has not.")
        self.fields["passwordless"].initial = True


class ForgottenPassword(forms.Form):
    """The address of an account; django-allauth's own looks it up at once, which a clock could tell."""

    email = forms.EmailField(label=_("Your address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    def save(self, _request: HttpRequest, **_options: Any) -> str:
        """Let a worker look; return the address."""
        address: str = self.cleaned_data["email"]
        passwords.request(address=address, now=database_clock.now())
        return address


class Join(forms.Form):
    """What somebody who was invited says of themselves."""

    name = fields.LineInput(label=_("Your name"), max_length=150, help_text=_("As your colleagues see it."))
    password = forms.CharField(
        label=_("A password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("At least eight characters, not a common one, and not your name."),
    )


class MyDesk(forms.Form):
    """How colleagues see somebody, and in which time zone somebody works."""

    name = fields.LineInput(label=_("Your name"), max_length=150, widget=UnfoldAdminTextInputWidget)
    time_zone = forms.ChoiceField(
        label=_("Your time zone"),
        required=False,
        help_text=_("The hours of the desk are shown and typed in it. Readers get those of the publication."),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, house_zone: str, **options: Any) -> None:
        super().__init__(*args, **options)
        places = [(zone, zone.replace("_", " ")) for zone in sorted(TIME_ZONES) if "/" in zone and zone != house_zone]
        own = [("", _("The publication's: %(zone)s") % {"zone": house_zone.replace("_", " ")})]
        self.fields["time_zone"].choices = [*own, ("UTC", "UTC"), *places]  # type: ignore[attr-defined]  # it is a ChoiceField


class ChooseRole(forms.Form):
    """The roles that this person may give, each with a sentence."""

    role = forms.ChoiceField(label=_("Role"), widget=UnfoldAdminRadioSelectWidget)

    def __init__(self, *args: Any, actor: User, **options: Any) -> None:
        super().__init__(*args, **options)
        may_give = set(roles.choosable(actor))
        self.fields["role"].choices = [choice for choice in role_names.explained() if choice[0] in may_give]  # type: ignore[attr-defined]  # it is a ChoiceField


class Invite(ChooseRole):
    """Whom, and as what."""

    address = forms.EmailField(label=_("Address"), widget=UnfoldAdminEmailInputWidget)

    field_order = ("address", "role")

    def clean_address(self) -> str:
        """An address that mail can reach. On failure: ValidationError."""
        try:
            return addresses.normalise(self.cleaned_data["address"]).address
        except addresses.InvalidAddress as error:
            raise forms.ValidationError(str(error)) from error
