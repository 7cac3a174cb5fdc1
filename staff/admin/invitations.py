"""Invitations to the team: sent, waiting, and taken back."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from core import database_clock
from publication.row_actions import Action, account
from staff import invitations, reauthentication, roles
from staff.admin.team import TeamAdmin
from staff.forms import Invite
from staff.models import WAITING, Invitation
from staff.role_names import Role

WITHDRAW: Action[Invitation] = Action(
    name="withdraw",
    label=_("Withdraw"),
    icon="cancel_schedule_send",
    explanation=_("The link in the letter works no more."),
    done=_("The invitation is withdrawn."),
    states=frozenset({WAITING}),
    run=lambda row, actor, _data, now: invitations.withdraw(invitation=row, actor=actor, now=now),
    permission=roles.MANAGE,
    variant="danger",
)


@admin.register(Invitation)
class InvitationAdmin(TeamAdmin):
    """Who was asked to join; the button above the list asks another one."""

    row_actions = {WITHDRAW.name: WITHDRAW}
    list_display = ("address", "shown_role", "shown_state", "invited_by", "created_at", "expires_at")
    list_select_related = ("invited_by",)
    search_fields = ("address",)
    search_help_text = _("Part of an address.")
    fields = ("address", "shown_role", "shown_state", "invited_by", "created_at", "expires_at")
    readonly_fields = ("shown_role", "shown_state")
    change_list_template = "admin/staff/invitation/list.html"

    def get_urls(self) -> list[URLPattern]:
        """Those of the act, and the form."""
        invite = self.admin_site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(self.invite_view))
        return [path("invite/", invite, name="staff_invitation_invite"), *super().get_urls()]

    def invite_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whom and as what; on POST the letter leaves."""
        actor = account(request)
        if not roles.may_manage(actor):
            raise PermissionDenied
        form = Invite(request.POST or None, actor=actor)
        reauthentication.ask(form, request=request)
        back = reverse("admin:staff_invitation_changelist")
        if request.method == "POST" and form.is_valid():
            address, role = form.cleaned_data["address"], Role(form.cleaned_data["role"])
            try:
                invitations.invite(address=address, role=role, actor=actor, now=database_clock.now())
            except roles.NotAllowed as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, _("The invitation is on its way to %(address)s.") % {"address": address})
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Invite somebody"),
            "label": _("Send the invitation"),
            "explanation": _("They get a letter with a link that works once, for seven days."),
            "form": form,
            "opts": self.opts,
            "back": back,
        }
        return render(request, "admin/action.html", context)

    @admin.display(description=_("Role"))
    def shown_role(self, row: Invitation) -> str:
        """In words."""
        return str(Role(row.role).label)

    @admin.display(description=_("State"))
    def shown_state(self, row: Invitation) -> str:
        """Whether it can still be accepted."""
        if row.accepted_at:
            return str(_("Joined"))
        if row.withdrawn_at:
            return str(_("Withdrawn"))
        return str(_("Waiting")) if row.state == WAITING else str(_("Too old"))
