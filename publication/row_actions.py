"""Actions on one row of the admin: a link above the form and a confirmation page for each.

A GET of the page asks, a POST acts. The act itself is a verb of the app, such as `publishing.publish`;
it checks the state and the permission again, and its refusal is shown in the form.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.views.decorators.http import require_http_methods
from unfold.enums import ActionVariant

from core import database_clock
from publication.change_lists import ModelAdmin

Row = TypeVar("Row", bound=Model)


class Confirm(forms.Form):
    """Nothing to fill in: pressing the button is the answer."""


@dataclass(frozen=True, slots=True)
class Action(Generic[Row]):
    """One action on a row: the states and permission that it needs, its form, its texts.

    `explanation` may name the {zone} in which hours are read. `fits` is asked of the row besides its state.
    `reauthenticate`: the page asks for the password too, unless it was given a short time ago.
    """

    name: str
    label: str | Promise
    explanation: str | Promise
    done: str | Promise
    states: frozenset[str]
    run: Callable[[Row, User, Mapping[str, Any], datetime], object]
    form: type[forms.Form] = Confirm
    permission: str = ""
    fits: Callable[[User, Row], bool] | None = None
    template: str = "admin/action.html"
    icon: str | None = None
    variant: str = "default"
    reauthenticate: bool = False

    def is_permitted(self, *, user: User) -> bool:
        """Whether the user has the right that the action needs on every row."""
        return not self.permission or user.has_perm(self.permission)

    def is_offered(self, *, user: User, row: Any) -> bool:
        """Whether the row's state and the user's permissions allow it."""
        return row.state in self.states and self.is_permitted(user=user) and (not self.fits or self.fits(user, row))


class ActionAdmin(ModelAdmin):
    """A model admin with actions on rows. A subclass names the actions and the exceptions that are refusals."""

    row_actions: Mapping[str, Action[Any]] = {}
    refusals: tuple[type[Exception], ...] = ()

    def seen(self, request: HttpRequest, pk: int) -> Any:
        """The row, if this user may see it. On failure: Http404 or PermissionDenied."""
        raise NotImplementedError

    def zone(self, row: Any) -> str:
        """The time zone in which the hours of an action's form are read."""
        raise NotImplementedError

    def form_of(self, *, action: Action[Any], row: Any, request: HttpRequest) -> forms.Form:
        """The form of the action, bound on POST."""
        return action.form(request.POST if request.method == "POST" else None)

    def action_urls(self) -> list[URLPattern]:
        """The URL patterns of the actions' pages; for `get_urls`."""
        view = require_http_methods(["GET", "HEAD", "POST"])(self.action_view)
        return [path("<int:pk>/do/<slug:name>/", self.admin_site.admin_view(view), name=self._name("do"))]

    def action_url(self, row: Any, action: Action[Any]) -> str:
        """The URL of the action's page."""
        return reverse(f"admin:{self._name('do')}", args=[row.pk, action.name])

    def action_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Show the confirmation page of an action, and run the action on POST. 403 without the permission."""
        row, action = self.seen(request, pk), self.row_actions.get(name)
        if action is None:
            raise Http404("There is no such action.")
        if not action.is_permitted(user=account(request)):
            raise PermissionDenied
        back = reverse(f"admin:{self._name('change')}", args=[row.pk])
        form = self.form_of(action=action, row=row, request=request)
        if action.reauthenticate:
            # The team's app is above this one, so the settings name its function.
            import_string(settings.REAUTHENTICATION)(form, request=request)
        if form.is_bound and self._acted(request, action, row, form):
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "subtitle": row,
            "explanation": str(action.explanation).format(zone=self.zone(row)),
            "row": row,
            "zone": self.zone(row),
            "form": form,
            "opts": self.opts,
            "back": back,
        }
        return render(request, action.template, context)

    def action_links(self, *, user: User, row: Any, besides: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Links for unfold's bar above the form to the available actions, except those named `besides`."""
        return [
            link(str(action.label), self.action_url(row, action), icon=action.icon, variant=action.variant)
            for action in self.row_actions.values()
            if action.name not in besides and action.is_offered(user=user, row=row)
        ]

    def _acted(self, request: HttpRequest, action: Action[Any], row: Any, form: forms.Form) -> bool:
        """Run the action; return whether it succeeded. The form has the errors otherwise."""
        with timezone.override(ZoneInfo(self.zone(row))):
            if form.is_valid():
                try:
                    action.run(row, account(request), form.cleaned_data, database_clock.now())
                except self.refusals as refusal:
                    form.add_error(None, str(refusal))
        if not form.is_valid():
            return False
        self.log_change(request, row, str(action.label))
        messages.success(request, str(action.done))
        return True

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"


def link(title: str, address: str, *, icon: str | None = None, variant: str = "default") -> dict[str, Any]:
    """A link of unfold's bar above the form."""
    return {
        "title": title, "path": address, "icon": icon, "variant": ActionVariant(variant),
        "attrs": {}, "items": [], "dialog": None,
    }  # fmt: skip


def account(request: HttpRequest) -> User:
    """The account behind a request that the admin let in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
