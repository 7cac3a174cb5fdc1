"""The people of the team: who they are, what they may do, and what is done to their accounts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from publication import hours
from publication.row_actions import Action, account, link
from staff import limit_views, limits, roles, sessions, team
from staff.admin.team import TeamAdmin
from staff.forms import ChooseRole
from staff.models import CLOSED, OPEN, Person
from staff.role_names import Role


def _change_role(person: Person, actor: User, data: Mapping[str, Any], now: datetime) -> None:
    team.change_role(person=person, role=Role(data["role"]), actor=actor, now=now)


def _fits(actor: User, person: Person) -> bool:
    """Whether the person's account is another's, and none of an administrator in the hands of a publisher."""
    return actor.pk != person.pk and roles.may_manage(actor) and (actor.is_superuser or not person.is_superuser)


ACTIONS: dict[str, Action[Person]] = {
    action.name: action
    for action in (
        Action(
            name="role",
            label=_("Change the role"),
            icon="badge",
            explanation=_("The person has it from the next page on, and no other."),
            done=_("The role is changed."),
            states=frozenset({OPEN}),
            run=_change_role,
            form=ChooseRole,
            permission=roles.MANAGE,
            fits=_fits,
            reauthenticate=True,
        ),
        Action(
            name="sessions",
            label=_("Sign out everywhere"),
            icon="logout",
            explanation=_("All sessions of this person end. They can sign in again at once."),
            done=_("The sessions are ended."),
            states=frozenset({OPEN}),
            run=lambda person, actor, _data, now: team.end_sessions(person=person, actor=actor, now=now),
            permission=roles.MANAGE,
            fits=_fits,
        ),
        Action(
            name="keys",
            label=_("Reset the second factor"),
            icon="key_off",
            explanation=_(
                "For somebody who lost their keys: passkeys, app and recovery codes are forgotten, and all sessions "
                "end. The next sign-in asks for the password alone. Make sure first who is asking."
            ),
            done=_("The second factor is reset."),
            states=frozenset({OPEN}),
            run=lambda person, actor, _data, now: team.reset_second_factor(person=person, actor=actor, now=now),
            permission=roles.MANAGE,
            fits=_fits,
            reauthenticate=True,
        ),
        Action(
            name="close",
            label=_("Close the account"),
            icon="person_off",
            explanation=_("Nobody signs in with it any more, and all sessions end. What the person wrote stays."),
            done=_("The account is closed."),
            states=frozenset({OPEN}),
            run=lambda person, actor, _data, now: team.close(person=person, actor=actor, now=now),
            permission=roles.MANAGE,
            fits=_fits,
            reauthenticate=True,
            variant="danger",
        ),
        Action(
            name="reopen",
            label=_("Open the account again"),
            icon="person_check",
            explanation=_("The person can sign in again, in the same role."),
            done=_("The account is open."),
            states=frozenset({CLOSED}),
            run=lambda person, actor, _data, now: team.reopen(person=person, actor=actor, now=now),
            permission=roles.MANAGE,
            fits=_fits,
            reauthenticate=True,
        ),
    )
}


@admin.register(Person)
class PersonAdmin(TeamAdmin):
    """Who is on the team. Everything that is done to an account is an act of its own, and on the audit log."""

    row_actions = ACTIONS
    list_display = ("shown_name", "shown_role", "shown_key", "shown_last", "shown_sessions", "shown_state")
    list_filter = ("is_active",)
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = _("Part of a name or an address.")
    ordering = ("-is_active", "username")
    sortable_by = ()
    fields = readonly_fields = (
        "shown_name", "shown_login", "shown_role", "shown_key", "shown_state", "shown_last", "shown_places",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        """People with what the list says of them."""
        keys = Authenticator.objects.filter(user=OuterRef("pk")).exclude(type=Authenticator.Type.RECOVERY_CODES)
        people: QuerySet[Person] = super().get_queryset(request).filter(is_staff=True)
        return people.prefetch_related("groups").annotate(has_key=Exists(keys), places=Count("usersession"))

    def get_urls(self) -> list[URLPattern]:
        """Those of the acts, and that of the limits."""
        limited = path("<int:pk>/limits/", self.admin_site.admin_view(self.limits_view), name="staff_person_limits")
        return [limited, *super().get_urls()]

    def limits_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the person is limited to, on a page of its own."""
        if not request.user.has_perm(limits.CHANGE):
            raise PermissionDenied
        return limit_views.page(
            request=request, person=self.seen(request, pk), context=self.admin_site.each_context(request)
        )

    def action_links(self, *, user: User, row: Person, besides: Iterable[str] = ()) -> list[dict[str, Any]]:
        """What may be done, and the page of the limits."""
        links = super().action_links(user=user, row=row, besides=besides)
        if user.has_perm(limits.CHANGE):
            address = reverse("admin:staff_person_limits", args=[row.pk])
            links.append(link(str(_("Sections and newsletters")), address, icon="filter_alt"))
        return links

    def form_of(self, *, action: Action[Any], row: Person, request: HttpRequest) -> forms.Form:
        """The roles are those that this very person may give."""
        data = request.POST if request.method == "POST" else None
        if action.form is ChooseRole:
            return ChooseRole(data, actor=account(request), initial={"role": roles.of(row)})
        return super().form_of(action=action, row=row, request=request)

    @admin.display(description=_("Name"))
    def shown_name(self, person: Person) -> str:
        """As colleagues see it."""
        return str(person)

    @admin.display(description=_("Signs in as"))
    def shown_login(self, person: Person) -> str:
        """The name, and the address if it is another word."""
        names = dict.fromkeys(filter(None, (person.get_username(), person.email)))
        return " · ".join(names)

    @admin.display(description=_("Role"))
    def shown_role(self, person: Person) -> str:
        """In words."""
        role = roles.of(person)
        return str(role.label) if role else str(_("No role"))

    @admin.display(description=_("Second factor"), boolean=True)
    def shown_key(self, person: Person) -> bool:
        """Whether there is a passkey or an app."""
        return bool(getattr(person, "has_key", False))

    @admin.display(description=_("Account"))
    def shown_state(self, person: Person) -> str:
        """Open or closed, in words."""
        return str(_("Open") if person.is_active else _("Closed"))

    @admin.display(description=_("Last sign-in"))
    def shown_last(self, person: Person) -> str:
        """When, or that it never was."""
        return _hour(person.last_login) if person.last_login else str(_("Never"))

    @admin.display(description=_("Sessions"))
    def shown_sessions(self, person: Person) -> int:
        """In how many places the person is signed in."""
        return int(getattr(person, "places", 0))

    @admin.display(description=_("Signed in on"))
    def shown_places(self, person: Person) -> SafeString | str:
        """Device, address and last use of each session."""
        lines = [(each.device, each.place, _hour(each.used_at)) for each in sessions.of(person)]
        return format_html_join("", "<div>{} · {} · {}</div>", lines) or str(_("Nowhere"))


def _hour(moment: datetime) -> str:
    """In the time zone of the desk, in words."""
    return hours.when(moment, zone=timezone.get_current_timezone_name(), now=timezone.now())
