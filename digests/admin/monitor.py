"""The page of an issue that is being sent or is over: how far it is, who got it, and what can be done."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from core import database_clock
from digests import aftermath, corrections, exports
from digests.admin import actions, leaving, panel, reports
from digests.models import Issue
from publication.row_actions import account
from subscribers import permissions as rights

# The buttons of the panel, and what fits no issue that has left.
ELSEWHERE = frozenset({*panel.MAIN, *panel.BESIDE, *actions.OF_UNCERTAIN})


def page(*, admin: ModelAdmin[Issue], request: HttpRequest, issue: Issue) -> HttpResponse:
    """The page of an issue in one of the states `panel.MONITORED`."""
    user = account(request)
    frozen = getattr(issue, "snapshot", None)
    shown = panel.context(issue=issue, user=user, can_wait="counted" in request.GET)
    progress, is_dropped = shown.get("progress"), shown.get("is_dropped", False)
    context: dict[str, Any] = {
        **admin.admin_site.each_context(request),
        **shown,
        "title": frozen.subject if frozen else str(issue),
        "opts": admin.opts,
        "frozen": frozen,
        "more": _more(admin, issue, request),
        # Before a million copies are counted, none of them is looked at.
        "leaving": leaving.lines(issue=issue, now=database_clock.now()) if progress else [],
        "corrections": issue.corrections.order_by("pk"),
        "may_take_copies": not is_dropped and user.has_perm(exports.SEE_ADDRESSES),
        "aftermath": aftermath.of(issue=issue, progress=progress) if issue.planned_at and progress else None,
    }
    return render(request, "admin/digests/issue/monitor.html", context)


def _more(admin: ModelAdmin[Issue], issue: Issue, request: HttpRequest) -> list[dict[str, Any]]:
    """What else one may look at or do."""
    user = account(request)
    links = []
    if admin.has_add_permission(request) and corrections.is_possible(issue=issue):
        path = reverse("admin:digests_issue_correct", args=[issue.pk])
        links.append({"label": _("Correct to those who got it"), "path": path})
    links += [{"label": _("See the mail"), "path": reverse("admin:digests_issue_preview", args=[issue.pk])}]
    if issue.planned_at:
        copies = f"{reverse('admin:digests_delivery_changelist')}?issue__id__exact={issue.pk}"
        links.append({"label": _("All copies"), "path": copies})
    if user.has_perm(reports.SEE_READERS):
        path = reverse("admin:digests_issue_why", args=[issue.pk])
        links.append({"label": _("Why did a reader get it, or not?"), "path": path})
    if user.has_perm(rights.CHANGE_NEWSLETTER):
        path = reverse("admin:digests_issue_growth", args=[issue.newsletter_id])
        links.append({"label": _("Growth of %(newsletter)s") % {"newsletter": issue.newsletter}, "path": path})
    links += [
        {"label": str(action.label), "path": reverse("admin:digests_issue_do", args=[issue.pk, action.name])}
        for action in actions.ACTIONS.values()
        if action.name not in ELSEWHERE and action.is_offered(user=user, row=issue)
    ]
    return links
