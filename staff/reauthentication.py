"""Asking again who somebody is, before what is hard to undo: an approval, an export, an erasure, a change of rights.

The proof is a password, a code or a passkey, and counts for `ACCOUNT_REAUTHENTICATION_TIMEOUT` seconds, as the
sign-in does. Three ways to ask:

- `@require_recent` on a view asks on a page of its own and then goes on, with what was posted;
- `ask(form, request=...)` adds the question to a form that is not valid without the proof: what else was typed stays;
- `Action(reauthenticate=True)` of `publication.row_actions` does the second on the page of an action.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

PROVED_AT: Final = "proved_at"
FIELD: Final = "password_again"
# Our own scripts say so in X-Requested-With, and read JSON where a browser would follow a redirect.
SCRIPT: Final = "fetch"

# None from a part of a view that leaves the response to the rest.
View = TypeVar("View", bound=Callable[..., HttpResponseBase | None])


class Password(forms.CharField):
    """Asks the person who is signed in for the password; a right one is a proof."""

    def __init__(self, *, request: HttpRequest) -> None:
        super().__init__(
            label=_("Your password"),
            help_text=_("You signed in some time ago, and this is hard to undo. Say once more that it is you."),
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


class Question(forms.Form):
    """Nothing but the question."""


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

    A GET leads to a page that asks and comes back. A POST gets a page with one question and all that was posted, files
    excepted. A script of ours gets 403 and `{"reauthenticate": address of a page that asks}`.
    """

    @functools.wraps(view)
    def asked(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase | None:
        if is_recent(request):
            return view(request, *args, **options)
        if request.headers.get("X-Requested-With") == SCRIPT:
            return JsonResponse({"reauthenticate": reverse("account_reauthenticate")}, status=403)
        if request.method != "POST":
            raise ReauthenticationRequired
        form = Question(request.POST if FIELD in request.POST else None)
        ask(form, request=request)
        return view(request, *args, **options) if form.is_valid() else _question(request, form)

    return cast("View", asked)


def _question(request: HttpRequest, form: Question) -> HttpResponse:
    posted = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in {FIELD, "csrfmiddlewaretoken"}
        for value in values
    ]
    context = {"title": _("Is it you?"), "form": form, "posted": posted}
    return render(request, "account/question.html", {**admin.site.each_context(request), **context})
