"""The forms of accounts that say something else than django-allauth's."""

from typing import Any

from allauth.account.forms import LoginForm
from django.utils.translation import gettext_lazy as _


class SignIn(LoginForm):  # type: ignore[misc]  # django-allauth publishes no types
    """Name or address, and password."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["login"].label = _("Name or address")
        self.fields["login"].widget.attrs["autofocus"] = True
        # django-allauth puts a link there, in English that is not ours; the page has one.
        self.fields["password"].help_text = ""
