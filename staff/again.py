"""Signing in again beside an open form, whose session ended while somebody was writing."""

from allauth.account import signals
from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm
from allauth.account.internal.flows.login import record_authentication
from allauth.core.internal import ratelimit
from allauth.mfa.base.forms import AuthenticateForm
from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from staff import admission, backends
from staff.forms import SignInByPasskey


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("password", "code", "credential")
@never_cache
def again(request: HttpRequest) -> JsonResponse:
    """Sign in without leaving the page: `/admin/account/again/`.

    The script sends `X-Requested-With: fetch`, and with a POST the CSRF token of the form that is still open.
    POST `login` (name or address), `password` and, from those with a second factor, `code` (of the app, or a
    recovery code). Or POST `credential`, what a passkey says to the `request_options` of `mfa_login_webauthn`: it
    is a proof alone, as at the sign-in. The responses are JSON:

    - 200 `{"csrf": "...", "name": "..."}`: signed in, in a new session. Put `csrf` into each `csrfmiddlewaretoken`
      of the page and into `X-CSRFToken`; the old token is no longer good.
    - 403 `{"error": "a sentence"}`: name, password, code or passkey is wrong, or there were too many attempts.
    - 403 `{"error": "...", "code": true}`: the password is right; ask for the code and send all three.

    GET says whether somebody is signed in, as after signing in on another tab: 200 as above, or 401 `{"login": url}`.
    """
    if request.method == "POST":
        refusal = _by_passkey(request) if "credential" in request.POST else _sign_in(request)
        if refusal is not None:
            return JsonResponse(refusal, status=403)
    if not isinstance(request.user, User):
        return JsonResponse({"login": admission.login_page()}, status=401)
    return JsonResponse({"csrf": get_token(request), "name": request.user.get_username()})


def _sign_in(request: HttpRequest) -> dict[str, str | bool] | None:
    """Sign in; return why not."""
    form = LoginForm({**request.POST.dict(), "remember": "on"}, request=request)
    if not form.is_valid():
        return {"error": _first_error(form)}
    user: User = form.user
    if not backends.may_sign_in(user):
        return {"error": _("This account is closed.")}
    second = AuthenticateForm(request.POST, user=user) if admission.has_second_factor(user) else None
    if second is not None and not request.POST.get("code"):
        return {"error": _("Please enter the code of your authenticator app, or a recovery code."), "code": True}
    if second is not None and not second.is_valid():
        return {"error": _first_error(second), "code": True}
    get_adapter(request).login(request, user)
    record_authentication(request, user, method="password")
    if second is not None:
        second.save()
    signals.user_logged_in.send(sender=User, request=request, response=None, user=user)
    return None


def _by_passkey(request: HttpRequest) -> dict[str, str | bool] | None:
    """Sign in with what a passkey says; return why not."""
    if not ratelimit.consume(request, app="allauth.mfa", action="webauthn_login"):
        return {"error": str(get_adapter().error_messages["too_many_login_attempts"])}
    form = SignInByPasskey(request.POST)
    if not form.is_valid():
        return {"error": _first_error(form)}
    user: User = form.cleaned_data["credential"].user
    if not backends.may_sign_in(user):
        return {"error": _("This account is closed.")}
    get_adapter(request).login(request, user)
    form.save()
    signals.user_logged_in.send(sender=User, request=request, response=None, user=user)
    return None


def _first_error(form: forms.Form) -> str:
    return next(str(error) for errors in form.errors.values() for error in errors)
