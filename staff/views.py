"""One's own account, and joining the team."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from core import database_clock
from publication import context as publications
from publication.row_actions import account
from staff import admission, forms, invitations, preferences, role_names, roles, sessions, team
from staff.role_names import Role

View = Callable[..., HttpResponseBase]


@admin.site.admin_view
@require_http_methods(["GET", "HEAD", "POST"])
def my_account(request: HttpRequest) -> HttpResponse:
    """Name, time zone, role, keys and sessions of the person who is signed in; POST changes the first two."""
    user = account(request)
    chosen = {"name": user.get_full_name(), "time_zone": preferences.time_zone(user)}
    form = forms.MyDesk(request.POST or None, initial=chosen, house_zone=publications.of(request).time_zone)
    if request.method == "POST" and form.is_valid():
        team.rename(person=user, name=form.cleaned_data["name"], now=database_clock.now())
        preferences.choose(user=user, time_zone=form.cleaned_data["time_zone"])
        messages.success(request, _("Saved."))
        return redirect("account_mine")
    role = roles.of(user)
    context = {
        "form": form,
        "role": role.label if role else _("No role yet"),
        "sentence": role_names.SENTENCES[role] if role else "",
        "has_second_factor": admission.has_second_factor(user),
        "sessions": sessions.of(user, current=request.session.session_key),
    }
    return render(request, "account/mine.html", context)


@admin.site.admin_view
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of one's own sessions."""
    user = account(request)
    if sessions.end(user=user, pk=pk, actor=user, now=database_clock.now()):
        messages.success(request, _("That session is ended."))
    return redirect("account_mine")


@admin.site.admin_view
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    user = account(request)
    sessions.end_all(user=user, actor=user, now=database_clock.now(), besides=request.session.session_key)
    messages.success(request, _("All other sessions are ended."))
    return redirect("account_mine")


def with_password(view: View) -> View:
    """For those who have a password to change; others get a link by mail with which they choose one."""

    @wraps(view)
    def handle(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        user = request.user
        if isinstance(user, User) and not user.has_usable_password():
            messages.info(request, _("You have no password yet. Ask for a link by mail, and choose one there."))
            return redirect("account_reset_password")
        return view(request, *args, **options)

    return handle


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@never_cache
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Accept an invitation: name and password make the account, for the invited address alone."""
    now = database_clock.now()
    try:
        invitation = invitations.read(token, now=now)
    except invitations.NoLongerValid as refusal:
        return render(request, "account/join_refused.html", {"refusal": str(refusal)}, status=410)
    form = forms.Join(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = invitations.accept(token=token, now=now, **form.cleaned_data)
        except ValidationError as refusal:
            form.add_error("password", refusal)
        except invitations.NoLongerValid as refusal:
            return render(request, "account/join_refused.html", {"refusal": str(refusal)}, status=410)
        else:
            return _welcome(request, user)
    role = Role(invitation.role)
    context = {"form": form, "invitation": invitation, "role": role.label, "sentence": role_names.SENTENCES[role]}
    return render(request, "account/join.html", context)


def _welcome(request: HttpRequest, user: User) -> HttpResponse:
    """Sign in as the new person, also when another one was signed in."""
    logout(request)
    login(request, user)
    return redirect("mfa_index")
