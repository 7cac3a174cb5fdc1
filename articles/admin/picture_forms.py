"""What is filled in about a picture: on its own page, and when it is uploaded from a story."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from articles import images
from articles.models import Image
from articles.picture_library import Words
from core import pictures


class PictureForm(forms.ModelForm):  # type: ignore[type-arg]  # no subscript at run time
    """A picture, its words and its focal point; the file is checked by taking it in."""

    x = forms.FloatField(min_value=0, max_value=1, required=False, widget=forms.HiddenInput)
    y = forms.FloatField(min_value=0, max_value=1, required=False, widget=forms.HiddenInput)

    class Meta:
        model = Image
        fields = ["file", "alt", "caption", "credit"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in (("x", self.instance.focal_x), ("y", self.instance.focal_y)):
            if name in self.fields:
                self.fields[name].initial = value

    def words(self) -> Words:
        """As the library's verbs take them."""
        return _words(self.cleaned_data)

    def clean_alt(self) -> str:
        """Words, not spaces."""
        if not (words := self.cleaned_data["alt"].strip()):
            raise forms.ValidationError(_("Say what the picture shows."))
        return str(words)

    def clean_file(self) -> Any:
        """A new file must be a picture that we can use."""
        upload = self.cleaned_data["file"]
        if "file" in self.changed_data:
            try:
                pictures.clean(upload, max_width=images.MASTER_WIDTH)
            except images.PictureRefused as error:
                raise forms.ValidationError(str(error)) from error
        return upload


class WordsForm(forms.Form):
    """What is said of a picture that is uploaded."""

    alt = forms.CharField(
        max_length=300, error_messages={"required": _("Say what the picture shows, for readers who cannot see it.")}
    )
    caption = forms.CharField(required=False, max_length=400)
    credit = forms.CharField(required=False, max_length=200)
    x = forms.FloatField(required=False, min_value=0, max_value=1)
    y = forms.FloatField(required=False, min_value=0, max_value=1)
    file = forms.FileField(error_messages={"required": _("Choose a picture.")}, allow_empty_file=True)

    def words(self) -> Words:
        """As the library's verbs take them."""
        return _words(self.cleaned_data)


def _words(asked: Mapping[str, Any]) -> Words:
    """Without a focal point, the middle is always seen."""
    x, y = (0.5 if asked.get(name) is None else asked[name] for name in ("x", "y"))
    return Words(alt=asked["alt"], caption=asked["caption"], credit=asked["credit"], x=x, y=y)
