"""Issues in the admin: arranged in a form, looked at in a frame, moved by verbs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe
from unfold.admin import TabularInline
from unfold.decorators import display

from core import database_clock
from digests import archive, composing, links, proofs, rendering, states, stats, views
from digests.admin import forms, panel, places
from digests.admin.actions import ACTIONS, OF_UNCERTAIN, REFUSALS, audience_facts
from digests.models import Issue
from publication import markdown_forms
from publication.row_actions import Action, ActionAdmin, account, link
from subscribers import unmailed

STATE_LABELS = {
    Issue.State.DRAFT: "info",
    Issue.State.SCHEDULED: "warning",
    Issue.State.PREPARING: "warning",
    Issue.State.SENDING: "warning",
    Issue.State.PAUSED: "danger",
    Issue.State.SENT: "success",
    Issue.State.SENT_WITH_EXCEPTIONS: "danger",
    Issue.State.CANCELLED: "danger",
}

HOURS = {"scheduled_for": "When it leaves once approved; this hour is UTC. Empty: at once."}
OF_A_LETTER = {
    "subject": "What readers see in their inbox. A letter needs one.",
    "preheader": "The line that inboxes show after the subject. Empty: how the letter begins.",
    "introduction": "Markdown. The whole text of the letter.",
}


@admin.register(Issue)
class IssueAdmin(ActionAdmin):
    """Issues. The state is shown everywhere and edited nowhere."""

    form = forms.Words
    row_actions = ACTIONS
    refusals = REFUSALS
    inlines = (places.IssueItemInline,)
    list_display = (
        "title",
        "newsletter",
        "shown_kind",
        "shown_state",
        "number",
        "audience_count",
        "shown_progress",
        "created_at",
    )
    list_filter = ("state", "kind", "cadence", "newsletter", "created_at")
    list_select_related = ("newsletter", "snapshot")
    list_per_page = 50
    search_fields = (
        "subject",
        "preheader",
        "introduction",
        "period_key",
        "items__article__headline",
        "snapshot__subject",
    )
    search_help_text = _("Words of the subject, the introduction or a story's headline")
    date_hierarchy = "created_at"
    change_form_before_template = "admin/digests/issue/progress.html"
    change_list_template = "admin/digests/issue/list.html"
    warn_unsaved_form = True
    words = ("newsletter", "subject", "preheader", "introduction", "scheduled_for")
    facts = (
        "state", "shown_reason", "shown_kind", "number", "window_start", "window_end", "approved_by",
        "approved_at", "planned_at", "started_at", "finished_at", "audience_count",
    )  # fmt: skip
    readonly_fields = (*facts, "left_out")

    class Media:
        js = ("digests/progress.js",)

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses, and one for composing, for each look and for each verb."""
        guard = self.admin_site.admin_view
        return [
            path(
                "compose/",
                guard(require_http_methods(["GET", "POST"])(self.compose_view)),
                name="digests_issue_compose",
            ),
            path("<int:pk>/progress/", guard(require_safe(self.progress_view)), name="digests_issue_progress"),
            path("<int:pk>/look/", guard(require_safe(self.look_view)), name="digests_issue_look"),
            path("<int:pk>/look/<slug:part>/", guard(require_safe(self.part_view)), name="digests_issue_part"),
            *self.action_urls(),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Issue | None = None) -> list[tuple[Any, Any]]:
        """A new issue is a letter; what the house keeps of it is shown once it is there."""
        if obj is None:
            note = _("You write a letter of your own. Digests are composed by the clock, or by “Compose a digest”.")
            return [(None, {"fields": self.words, "description": note})]
        left_out = ("left_out",) if obj.state in states.STOPPABLE else ()
        return [
            (None, {"fields": ("state", "shown_reason", *left_out, *self.words)}),
            ("How it came and went", {"fields": self.facts[2:], "classes": ["collapse"]}),
        ]

    def get_inlines(self, request: HttpRequest, obj: Issue | None) -> tuple[type[TabularInline], ...]:
        """A letter has no stories, and what is added here is a letter."""
        return () if obj is None or obj.kind == Issue.Kind.LETTER else self.inlines

    def get_form(self, request: HttpRequest, obj: Issue | None = None, **kwargs: Any) -> Any:
        """With what each field means for this kind of issue, and in which zone its hours are."""
        is_letter = obj is None or obj.kind == Issue.Kind.LETTER
        return super().get_form(request, obj, help_texts=HOURS | (OF_A_LETTER if is_letter else {}), **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Issue | None = None) -> tuple[str, ...]:
        """The newsletter of an issue stays; after approval everything does."""
        if obj is None:
            return self.facts
        words = ("newsletter",) if composing.is_editable(issue=obj) else self.words
        return (*self.readonly_fields, *words)

    def has_change_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """An issue that is approved can be looked at, not changed."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or composing.is_editable(issue=obj))

    def has_delete_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """Only a letter that nobody approved can be thrown away: the row of a digest keeps its period taken."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and obj is not None and composing.is_editable(issue=obj) and obj.kind == Issue.Kind.LETTER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Issue]:
        """All of them; a search over stories must not list an issue twice."""
        found: QuerySet[Issue] = super().get_queryset(request)
        return found.select_related("newsletter", "snapshot")

    def save_model(self, request: HttpRequest, obj: Issue, form: Any, change: bool) -> None:
        """Write the words alone: a state that changed meanwhile stays changed, and an approved issue as it is."""
        markdown_forms.tell(request=request, form=form)
        if not change:
            obj.save()
            return
        locked = Issue.objects.select_for_update(of=("self",), no_key=True).get(pk=obj.pk)
        if not composing.is_editable(issue=locked):
            raise PermissionDenied
        obj.save(update_fields=[*(name for name in self.words if name != "newsletter"), "updated_at"])

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form, with the copies of the issue counted above it."""
        issue = self.get_object(request, object_id) if object_id else None
        more = panel.context(issue=issue, user=account(request)) if issue else {}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Above the form: what can be done to this issue, by this person, now."""
        if (issue := kwargs.get("obj")) is not None:
            context["actions_detail"] = [
                link("Preview", reverse("admin:digests_issue_look", args=[issue.pk]), icon="visibility"),
                *self.action_links(user=account(request), row=issue, besides=OF_UNCERTAIN),
            ]
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def zone(self, row: Issue) -> str:
        """The newsletter's."""
        return row.newsletter.time_zone

    def form_of(self, *, action: Action[Any], row: Issue, request: HttpRequest) -> Form:
        """Approving is told how many readers there are; a proof goes to the editor unless another is named."""
        data = request.POST if request.method == "POST" else None
        if action.form is forms.Approve:
            return forms.Approve(data, **audience_facts(issue=row, now=database_clock.now()))
        form = super().form_of(action=action, row=row, request=request)
        if action.form is forms.Proof:
            form.initial["to"] = account(request).email
        return form

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The numbers alone, for a page that is open while copies leave."""
        context = panel.context(issue=self.seen(request, pk), user=account(request))
        return render(request, "admin/digests/issue/progress.html", context)

    def look_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The mail in a frame where it can do nothing, its text and its headers beside it."""
        issue = self.seen(request, pk)
        context: dict[str, Any] = {"issue": issue, "title": _("Preview"), "opts": self.opts}
        try:
            context["snapshot"] = snapshot = proofs.as_it_stands(issue=issue, now=database_clock.now())
            context["text"] = archive.neutral_text(text=snapshot.text, issue=issue)
        except rendering.RenderingError as refusal:
            context["refusal"] = str(refusal)
        return render(request, "admin/digests/issue/look.html", {**self.admin_site.each_context(request), **context})

    def part_view(self, request: HttpRequest, pk: int, part: str) -> HttpResponse:
        """The HTML alone, for the frame."""
        if part != "html":
            raise Http404("There is no such part.")
        issue = self.seen(request, pk)
        try:
            snapshot = proofs.as_it_stands(issue=issue, now=database_clock.now())
        except rendering.RenderingError as refusal:
            raise Http404(str(refusal)) from refusal
        return views.framed(archive.web_html(snapshot=snapshot))

    def compose_view(self, request: HttpRequest) -> HttpResponse:
        """Compose a digest of everything that is new, beside the clock's."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = forms.Compose(request.POST or None)
        if request.method == "POST" and form.is_valid():
            offer = form.cleaned_data["offer"]
            try:
                issue = composing.compose_new(
                    newsletter=offer.newsletter, cadence=offer.cadence, now=database_clock.now()
                )
            except composing.NothingNew as refusal:
                form.add_error(None, str(refusal))
            else:
                return HttpResponseRedirect(reverse("admin:digests_issue_change", args=[issue.pk]))
        context = {"title": _("Compose a digest"), "form": form, "opts": self.opts}
        return render(request, "admin/digests/issue/compose.html", {**self.admin_site.each_context(request), **context})

    @display(description=_("Subject"), ordering="subject")  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def title(self, issue: Issue) -> str:
        """The subject that it has, or will have."""
        frozen = getattr(issue, "snapshot", None)
        return frozen.subject if frozen else issue.subject or f"{issue.newsletter}, {_period(issue)}"

    @admin.display(description=_("Reason"))
    def shown_reason(self, issue: Issue) -> str:
        """Why it is in its state, as a sentence."""
        return issue.reason_sentence

    @display(description=_("State"), ordering="state", label=STATE_LABELS)  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_state(self, issue: Issue) -> tuple[str, str]:
        """The state, which chooses the colour, and its word."""
        return issue.state, issue.get_state_display()

    @display(description=_("Kind"), ordering="kind")  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_kind(self, issue: Issue) -> str:
        """Kind, cadence and period in one line."""
        return ", ".join(filter(None, [issue.get_kind_display(), issue.cadence, _period(issue)]))

    @display(description=_("Not mailed"))  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def left_out(self, issue: Issue) -> str:
        """Confirmed readers who do not get it, and why; counted until its copies are planned, which settles it."""
        if issue.planned_at:
            return ""
        sentence = str(unmailed.among(issue.subscriptions(), now=database_clock.now()))
        return sentence or "Nobody is left out: every confirmed reader gets it."

    def view_on_site(self, issue: Issue) -> str | None:
        """Its page in the archive, once readers can see it."""
        return links.web_url(issue=issue) if Issue.objects.public().filter(pk=issue.pk).exists() else None

    @display(description=_("Copies done"))  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_progress(self, issue: Issue) -> str:
        """How many copies are settled; the list of the issue's copies behind it."""
        if not issue.planned_at:
            return ""
        address = f"{reverse('admin:digests_delivery_changelist')}?issue__id__exact={issue.pk}"
        return format_html('<a href="{}">{} of {}</a>', address, _done(issue), issue.audience_count)

    def seen(self, request: HttpRequest, pk: int) -> Issue:
        """The issue, for somebody who may see it."""
        issue = self.get_object(request, str(pk))
        if issue is None:
            raise Http404("There is no such issue.")
        if not self.has_view_permission(request, issue):
            raise PermissionDenied
        found: Issue = issue
        return found


def _period(issue: Issue) -> str:
    """The period of the clock's runs as it is; the instant of a run by hand without its fractions."""
    day, by_hand, hour = issue.period_key.partition("T")
    return f"{day} {hour[:5]} UTC, by hand" if by_hand else day


def _done(issue: Issue) -> int:
    """Counted only while it changes, so that the list costs no query for an issue that everybody got."""
    if issue.state in (Issue.State.SENT, Issue.State.SENT_WITH_EXCEPTIONS):
        return issue.audience_count or 0
    return stats.watched(issue).done
