"""Pages that answer a question and change nothing: why did she get it, and how does a newsletter grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from unfold.widgets import UnfoldAdminTextInputWidget

from core import csv_export, database_clock
from digests import exports, growth, permissions, why
from digests.models import Issue
from mailkit import addresses
from publication.row_actions import account
from staff.reauthentication import require_recent
from subscribers import permissions as rights
from subscribers.models import Newsletter, Subscriber

# Readers' addresses are for those who answer for them.
SEE_READERS = "subscribers.view_subscriber"
MOST_ISSUES = 20
View = Callable[..., HttpResponseBase]


class Reader(forms.Form):
    """Whom the question is about. Posted, so that no address is in the address of a page."""

    address = forms.CharField(
        label=gettext_lazy("Address of the reader"),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "email"}),
    )


class Reports:
    """The views, over the admin of issues."""

    def __init__(self, admin: ModelAdmin[Issue]) -> None:
        self.admin = admin

    def urls(self) -> list[URLPattern]:
        """The URL patterns; for `get_urls`."""
        guard = self.admin.admin_site.admin_view
        asks = require_http_methods(["GET", "POST"])

        def takes(view: View) -> View:
            """A file: asked for by a form of ours, and the password first."""
            return guard(require_POST(require_recent(view)))

        return [
            path("<int:pk>/why/", guard(asks(self.why_issue)), name="digests_issue_why"),
            path("why/<int:reader>/", guard(require_safe(self.why_reader)), name="digests_issue_why_reader"),
            path("growth/<int:newsletter>/", guard(require_safe(self.growth)), name="digests_issue_growth"),
            path("growth/<int:newsletter>/csv/", takes(self.growth_file), name="digests_issue_growth_file"),
            path("<int:pk>/figures/", takes(self.figures_file), name="digests_issue_figures_file"),
            path("<int:pk>/copies/", takes(self.copies_file), name="digests_issue_copies_file"),
        ]

    def why_issue(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Why one reader got this issue, or not: by `?reader=`, or by an address that is posted."""
        issue = self._seen(request, pk)
        form = Reader(request.POST or None)
        context: dict[str, Any] = {"issue": issue, "form": form, "title": _("Why did this reader get it, or not?")}
        number = request.GET.get("reader", "")
        if request.method == "POST" and form.is_valid():
            return self._by_address(request, issue, form, context)
        if number.isdecimal() and len(number) < 19:
            reader = get_object_or_404(Subscriber, pk=number)
            context["reader"] = reader
            context["explanation"] = why.explain(issue=issue, reader=reader, now=database_clock.now())
        return self._page(request, "why", context)

    def why_reader(self, request: HttpRequest, reader: int) -> HttpResponse:
        """The latest issues of the reader's newsletters, each with the question."""
        if not (request.user.has_perm(SEE_READERS) and self.admin.has_view_permission(request)):
            raise PermissionDenied
        subscriber = get_object_or_404(Subscriber, pk=reader)
        theirs = subscriber.subscriptions.values("newsletter")
        own = permissions.issues_of(Issue.objects.filter(newsletter__in=theirs), user=account(request))
        issues = own.filter(planned_at__isnull=False).select_related("newsletter")
        latest = list(issues.select_related("snapshot").order_by("-planned_at")[:MOST_ISSUES])
        copies = dict(subscriber.deliveries.filter(issue__in=latest).values_list("issue_id", "state"))
        rows = [(issue, why.ENDS.get(copies.get(issue.pk, ""), _("No copy."))) for issue in latest]  # type: ignore[call-overload]  # a state, or nothing
        context = {"reader": subscriber, "rows": rows, "title": _("Which issues did this reader get?")}
        return self._page(request, "why_reader", context)

    def growth(self, request: HttpRequest, newsletter: int) -> HttpResponse:
        """How the newsletter's readership grew."""
        row = get_object_or_404(Newsletter, pk=newsletter)
        rights.require(rights.CHANGE_NEWSLETTER, user=account(request), newsletter=row.pk)
        context = {
            "growth": growth.of(newsletter=row, now=database_clock.now()),
            "title": _("Growth of %(name)s") % {"name": row},
        }
        return self._page(request, "growth", context)

    def growth_file(self, request: HttpRequest, newsletter: int) -> StreamingHttpResponse:
        """The growth as CSV."""
        row = get_object_or_404(Newsletter, pk=newsletter)
        lines = exports.of_growth(newsletter=row, actor=account(request), now=database_clock.now())
        return csv_export.download(lines, name=f"growth-{row.slug}")

    def figures_file(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """The issue's figures as CSV."""
        issue = get_object_or_404(Issue.objects.select_related("newsletter"), pk=pk)
        lines = exports.figures(issue=issue, actor=account(request), now=database_clock.now())
        return csv_export.download(lines, name=f"figures-{issue.pk}")

    def copies_file(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """The issue's copies as CSV, with addresses."""
        issue = get_object_or_404(Issue.objects.select_related("newsletter"), pk=pk)
        lines = exports.copies(issue=issue, actor=account(request), now=database_clock.now())
        return csv_export.download(lines, name=f"copies-{issue.pk}")

    def _by_address(self, request: HttpRequest, issue: Issue, form: Reader, context: dict[str, Any]) -> HttpResponse:
        address = form.cleaned_data["address"]
        try:
            key = addresses.normalise(address).key
            reader = Subscriber.objects.filter(address_key=key).first()
            if reader is not None:
                page = reverse("admin:digests_issue_why", args=[issue.pk])
                return HttpResponseRedirect(f"{page}?reader={reader.pk}")
            context["explanation"] = why.explain_address(issue=issue, address=address, now=database_clock.now())
        except addresses.InvalidAddress as refusal:
            form.add_error("address", str(refusal))
        return self._page(request, "why", context)

    def _seen(self, request: HttpRequest, pk: int) -> Issue:
        """The issue, for somebody who may see issues and readers."""
        own = permissions.issues_of(Issue.objects.select_related("newsletter"), user=account(request))
        issue = get_object_or_404(own, pk=pk)
        if not (self.admin.has_view_permission(request, issue) and request.user.has_perm(SEE_READERS)):
            raise PermissionDenied
        return issue

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        whole = {**self.admin.admin_site.each_context(request), "opts": self.admin.opts, **context}
        return render(request, f"admin/digests/reports/{name}.html", whole)
