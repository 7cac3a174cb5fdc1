"""Who is let in to the desk: whose session is over is nobody, and nobody works without a second factor."""

from collections.abc import Callable
from typing import Final

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from staff import sessions
from staff.reauthentication import SCRIPT

DESK: Final = "/admin/"
# A script of ours may ask for these without a session.
OPEN: Final = ("account_login", "account_again")
# What somebody without a second factor may do: get one, or leave.
SETTING_UP: Final = (
    "mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate", "account_logout", "account_again",
)  # fmt: skip

Handler = Callable[[HttpRequest], HttpResponseBase]


def admission(following: Handler) -> Handler:
    """Middleware: decides who `request.user` is, and stops at the desk those who may not go on.

    Other pages of the site do not read the session for it: they stay the same for everybody, and a cache may keep them.
    """

    def handle(request: HttpRequest) -> HttpResponseBase:
        request.user = SimpleLazyObject(lambda: _whoever(request))  # type: ignore[assignment]  # as Django's own middleware
        if request.path_info.startswith(DESK):
            if refusal := _refusal(request):
                return refusal
            if request.user.is_authenticated:
                sessions.used(request)
        return following(request)

    return handle


def login_page() -> str:
    """Where somebody whose session ended signs in."""
    return reverse("account_login")


def lacks_second_factor(user: User | AnonymousUser) -> bool:
    """Whether this account must get a second factor before it may do anything."""
    return settings.REQUIRE_SECOND_FACTOR and not has_second_factor(user)


def has_second_factor(user: User | AnonymousUser) -> bool:
    """Whether the account has a passkey or an authenticator app; recovery codes come with either."""
    return bool(is_mfa_enabled(user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]))


def _whoever(request: HttpRequest) -> User | AnonymousUser:
    user = get_user(request)
    if not isinstance(user, User):
        return AnonymousUser()
    if sessions.is_over(request.session):
        # Not `auth.logout`, which would ask who it is while that is being found out.
        request.session.flush()
        return AnonymousUser()
    if not request.path_info.startswith(DESK) and lacks_second_factor(user):
        return AnonymousUser()
    return user


def _refusal(request: HttpRequest) -> HttpResponseBase | None:
    """The answer to a request that goes no further; None for all others."""
    by_script = request.headers.get("X-Requested-With") == SCRIPT
    if not isinstance(request.user, User):
        ended = by_script and request.path_info not in {reverse(name) for name in OPEN}
        return JsonResponse({"login": login_page()}, status=401) if ended else None
    if request.path_info in {reverse(name) for name in SETTING_UP} or not lacks_second_factor(request.user):
        return None
    place = reverse("mfa_index")
    return JsonResponse({"login": place}, status=401) if by_script else HttpResponseRedirect(place)
