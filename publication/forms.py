"""The form of the publication, and the form field for every uploaded picture."""

import secrets
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminImageFieldWidget,
    UnfoldAdminSelectWidget,
)

from core import pictures
from mailkit import addresses
from publication import colours, languages
from publication.models import Publication, validate_colour

if TYPE_CHECKING:
    BytesFile = ContentFile[bytes]
    RowForm = forms.ModelForm[Publication]
else:  # Django's classes take no type parameters while running
    BytesFile = ContentFile
    RowForm = forms.ModelForm

ACCEPT = "image/jpeg,image/png,image/webp,image/gif"
LOGO_WIDTH = 800  # pixels; shown at 120 in mails and at 200 on pages, also on dense screens


class LanguageChoice(forms.ChoiceField):
    """One of the publication's languages, or the one that the row has had. Where it is not posted, it stays."""

    widget = UnfoldAdminSelectWidget

    def __init__(self, *, own: str, **options: Any) -> None:
        known = dict.fromkeys([*Publication.objects.current().languages, own])
        choices = [(language, languages.name_of(language)) for language in known]
        super().__init__(choices=choices, required=False, initial=own, **options)


class PictureField(forms.FileField):
    """An upload that has become a clean picture: a ContentFile of ours under a random name.

    Django's own ImageField opens any format in the web process before our limits
    can be asked, so forms with pictures use this one. The cleaned value of a new
    upload has the measures in `picture`; otherwise it is what a FileField returns.
    """

    def __init__(self, *, max_width: int, **options: Any) -> None:
        super().__init__(**options)
        self.max_width = max_width

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Let the browser offer pictures only."""
        return {**super().widget_attrs(widget), "accept": ACCEPT}

    def clean(self, data: Any, initial: Any = None) -> Any:
        """The clean picture, or one sentence why not."""
        cleaned = super().clean(data, initial)
        if not isinstance(cleaned, UploadedFile):
            return cleaned
        try:
            picture = pictures.clean(cleaned, max_width=self.max_width)
        except pictures.PictureRefused as error:
            raise ValidationError(str(error), code="picture_refused") from error
        return CleanFile(picture)


class CleanFile(ContentFile):  # type: ignore[type-arg]  # generic in its stubs only, not when it runs
    """A clean picture as a file that a model's field can save."""

    def __init__(self, picture: pictures.CleanPicture) -> None:
        super().__init__(picture.bytes, name=f"{secrets.token_hex(8)}.{picture.extension}")
        self.picture = picture


class PublicationForm(RowForm):
    """The one row, with addresses and colours that will do what they are for."""

    logo = PictureField(
        max_width=LOGO_WIDTH,
        required=False,
        label=_("Logo"),
        help_text=_("PNG or JPEG, at least 400 pixels wide. Shown above the name in mails and on pages."),
        widget=UnfoldAdminImageFieldWidget,
    )

    further_languages = forms.MultipleChoiceField(
        required=False,
        label=_("Further languages"),
        help_text=_("Readers find the pages in these languages too, each under its own address, such as /ru/."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Publication
        fields = "__all__"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        languages = self.fields["further_languages"]
        assert isinstance(languages, forms.MultipleChoiceField)  # noqa: S101  # the type of the field above, for mypy
        languages.choices = settings.LANGUAGES

    def clean_sender_address(self) -> str:
        """An address that mail can be sent from, its domain in the form that DNS knows."""
        return _mailable(self.cleaned_data["sender_address"])

    def clean_reply_to(self) -> str:
        """Empty, or an address that receives mail."""
        return _mailable(self.cleaned_data["reply_to"])

    def clean_contact_address(self) -> str:
        """Empty, or an address that receives mail."""
        return _mailable(self.cleaned_data["contact_address"])

    def clean_accent_colour(self) -> str:
        """A colour for links and buttons that can be read on white."""
        colour: str = self.cleaned_data["accent_colour"]
        validate_colour(colour)
        if colours.contrast(colour, colours.WHITE) < colours.READABLE:
            raise ValidationError(
                _("This colour is too light to be read on white. Try %(darker)s."),
                code="unreadable",
                params={"darker": colours.readable(colour, on=colours.WHITE)},
            )
        return colour


def _mailable(address: str) -> str:
    if not address:
        return ""
    try:
        return addresses.normalise(address).address
    except addresses.InvalidAddress as error:
        raise ValidationError(str(error), code="invalid_address") from error
