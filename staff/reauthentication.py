"""Asking again who somebody is, before what is hard to undo: an approval, an export, an erasure, a change of rights.

The proof is a password, a code or a passkey, and counts for `ACCOUNT_REAUTHENTICATION_TIMEOUT` seconds, as the
sign-in does. Three ways to ask:

- `@require_recent` on a view: asks on a page of its own and then goes on, with what was posted;
- `ask(form, request=...)` adds the question to a form that is not valid without the proof: what else was typed stays;
- `Action(reauthenticate=True)` of `publication.row_actions` does the second on the page of an action.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, Final

from allauth.account.adapter import get_adapter
from allauth.account.signals import authentication_step_completed
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

PROVED_AT: Final = "proved_at"
FIELD: Final = "password_again"
# Our own scripts say so in X-Requested-With, and read JSON where a browser would follow a redirect.
SCRIPT: Final = "fetch"

View = Callable[..., HttpResponseBase]


class Password(forms.CharField):
    """Asks the person who is signed in for the password; a right one is a proof."""

    def __init__(self, *, request: HttpRequest) -> None:
        super().__init__(
            label=_("Your password"),
            help_text=_("It is some time since you signed in, and this cannot be taken back by everybody."),
            strip=False,
            widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
        )
        self._request = request

    def clean(self, value: Any) -> str:
        """Nothing is kept of the password. On failure: ValidationError, also after too many attempts."""
        password = super().clean(value)
        adapter = get_adapter(self._request)
        if not adapter.reauthenticate(self._request.user, password):
            raise forms.ValidationError(_("This is not your password."))
        record(self._request)
        return ""


def is_recent(request: HttpRequest) -> bool:
    """Whether the person who is signed in proved it within the last quarter of an hour."""
    proved_at = request.session.get(PROVED_AT, 0.0)
    age: float = time.time() - proved_at
    return 0 <= age < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def record(request: HttpRequest) -> None:
    """Somebody proved just now who they are."""
    request.session[PROVED_AT] = time.time()


def ask(form: forms.Form, *, request: HttpRequest) -> None:
    """Add the question for the password, unless the last proof is recent. Before: the form was not validated."""
    if not is_recent(request):
        form.fields[FIELD] = Password(request=request)


def require_recent(view: View) -> View:
    """A view that asks first for the password or a second factor, unless that happened within a quarter of an hour.

    A page then asks, and goes on to the view with what was posted. A script of ours gets 403 and
    `{"reauthenticate": address of that page}`.
    """

    @functools.wraps(view)
    def asked(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        if is_recent(request):
            return view(request, *args, **options)
        if request.headers.get("X-Requested-With") == SCRIPT:
            return JsonResponse({"reauthenticate": reverse("account_reauthenticate")}, status=403)
        raise ReauthenticationRequired

    return asked


def _signed_in(*, request: HttpRequest | None = None, **_signal: Any) -> None:
    if request is not None:
        record(request)


def _proved(*, request: HttpRequest, reauthenticated: bool = False, **_signal: Any) -> None:
    if reauthenticated:
        record(request)


user_logged_in.connect(_signed_in, dispatch_uid="a sign-in is a proof")
authentication_step_completed.connect(_proved, dispatch_uid="so is a password or code that was asked for again")
