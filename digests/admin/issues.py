"""Issues in the admin: edited in a form, previewed in a frame, moved by actions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from unfold.admin import TabularInline
from unfold.decorators import display

from core import database_clock
from digests import (
    archive,
    arranging,
    composing,
    links,
    permissions,
    proofs,
    rendering,
    second_person,
    states,
    stats,
    variant_names,
    variants,
)
from digests.admin import composer, correct, forms, items, looks, monitor, panel, reports, story_mail
from digests.admin.actions import ACTIONS, REFUSALS, audience_facts, failed_facts, rest_facts
from digests.models import Issue
from publication import hours, markdown_forms
from publication.row_actions import Action, ActionAdmin, account, link
from publication.translated_admin import TranslatedAdmin
from subscribers import permissions as rights
from subscribers import unmailed
from subscribers.models import Newsletter

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

HOURS = {"scheduled_for": _("When it leaves once approved. Empty: at once.")}
OF_A_LETTER = {
    "subject": _("What readers see in their inbox. A letter needs one."),
    "preheader": _("The line that inboxes show after the subject. Empty: how the letter begins."),
    "introduction": _("Markdown. The whole text of the letter."),
}


@admin.register(Issue)
class IssueAdmin(TranslatedAdmin, ActionAdmin):
    """Issues. Their state changes by actions only."""

    form = forms.IssueForm
    new_title = _("New letter")
    row_actions = ACTIONS
    refusals = REFUSALS
    inlines = (items.IssueItemInline,)
    list_display = (
        "title",
        "newsletter",
        "shown_kind",
        "shown_state",
        "shown_when",
        "shown_readers",
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
    texts = ("newsletter", "subject", "preheader", "introduction", "sponsor", "scheduled_for")
    facts = (
        "state", "shown_reason", "shown_kind", "number", "window_start", "window_end", "approved_by",
        "approved_at", "planned_at", "started_at", "finished_at", "audience_count",
    )  # fmt: skip
    readonly_fields = (*facts, "left_out")

    class Media:
        css: ClassVar = {"all": ("digests/monitor.css",)}
        js = ("digests/progress.js",)

    def get_urls(self) -> list[URLPattern]:
        """Add the URLs for composing, preview, progress and each action."""
        guard = self.admin_site.admin_view
        return [
            path(
                "compose/",
                guard(require_http_methods(["GET", "POST"])(self.compose_view)),
                name="digests_issue_compose",
            ),
            path("story-mail/", guard(story_mail.story_mail), name="digests_issue_story_new"),
            path("story-mail/<int:pk>/", guard(story_mail.story_mail), name="digests_issue_story"),
            path("<int:pk>/progress/", guard(require_safe(self.progress_view)), name="digests_issue_progress"),
            path("<int:pk>/as-reader/", guard(require_POST(self.reader_view)), name="digests_issue_as_reader"),
            path("<int:pk>/find-reader/", guard(require_POST(self.find_reader_view)), name="digests_issue_find_reader"),
            path("<int:pk>/preview/", guard(require_safe(self.preview_view)), name="digests_issue_preview"),
            path("<int:pk>/preview/<slug:part>/", guard(require_safe(self.part_view)), name="digests_issue_part"),
            path(
                "<int:pk>/correct/",
                guard(require_http_methods(["GET", "POST"])(self.correct_view)),
                name="digests_issue_correct",
            ),
            *reports.Reports(self).urls(),
            *self.action_urls(),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, Any]]:
        """A new issue is a letter; its facts are shown once it exists."""
        if obj is None:
            note = _("You write a letter of your own. Digests are composed on schedule, or by “Compose a digest”.")
            return [(None, {"fields": self.texts, "description": note})]
        left_out = ("left_out",) if obj.state in states.STOPPABLE else ()
        return [
            (None, {"fields": ("state", "shown_reason", *left_out, *self.texts)}),
            (_("History"), {"fields": self.facts[2:], "classes": ["collapse"]}),
        ]

    def get_inlines(self, request: HttpRequest, obj: Issue | None) -> tuple[type[TabularInline], ...]:
        """Stories, except for a letter; a new issue is a letter."""
        return () if obj is None or obj.kind == Issue.Kind.LETTER else self.inlines

    def further_languages(self, obj: Issue | None) -> list[str]:
        """Those in which its readers may get it; a letter has them once its newsletter is known."""
        return variants.offered(issue=obj) if obj is not None and composing.is_editable(issue=obj) else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form with help texts for this kind of issue."""
        is_letter = obj is None or obj.kind == Issue.Kind.LETTER
        texts = HOURS | (OF_A_LETTER if is_letter else {})
        return super().get_form(request, obj, change=change, help_texts=texts, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Issue | None = None) -> tuple[str, ...]:
        """The newsletter cannot change; after approval nothing can."""
        if obj is None:
            return self.facts
        texts = ("newsletter",) if composing.is_editable(issue=obj) else self.texts
        return (*self.readonly_fields, *texts)

    def has_change_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """Only a draft can be changed."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or composing.is_editable(issue=obj))

    def has_delete_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """Only a draft letter can be deleted: the row of a digest reserves its period."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and obj is not None and composing.is_editable(issue=obj) and obj.kind == Issue.Kind.LETTER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Issue]:
        """The issues of this person's newsletters, with newsletter and snapshot."""
        issues: QuerySet[Issue] = super().get_queryset(request)
        return permissions.issues_of(issues, user=account(request)).select_related("newsletter", "snapshot")

    def save_model(self, request: HttpRequest, obj: Issue, form: Any, change: bool) -> None:
        """Save the texts only: the state may have changed in the meantime, and an approved issue must not change."""
        markdown_forms.tell(request=request, form=form)
        if not change:
            obj.save()
            return
        locked = Issue.objects.select_for_update(of=("self",), no_key=True).get(pk=obj.pk)
        if not composing.is_editable(issue=locked):
            raise PermissionDenied
        texts = (name for name in self.texts if name != "newsletter")
        obj.save(update_fields=[*texts, "translations", "updated_at"])

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form with the progress panel above it; of an issue that is being sent or is over, the monitor."""
        issue = self.get_object(request, object_id) if object_id else None
        if issue and issue.state in panel.MONITORED:
            return monitor.page(admin=self, request=request, issue=self.seen(request, issue.pk))
        if issue and issue.state == Issue.State.SCHEDULED and request.method != "POST":
            return composer.scheduled(admin=self, request=request, issue=self.seen(request, issue.pk))
        more = panel.context(issue=issue, user=account(request)) if issue else {}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The form with the actions that this person may take now."""
        issue = kwargs.get("obj")
        if issue is not None and self.has_change_permission(request, issue):
            context |= composer.context(issue=issue, user=account(request))
            composer.show_pictures(context["inline_admin_formsets"])
            page: Any = super().render_change_form(request, context, **kwargs)
            page.template_name = composer.TEMPLATE
            composed: HttpResponse = page
            return composed
        if issue is not None:
            context["actions_detail"] = [
                link(str(_("Preview")), reverse("admin:digests_issue_preview", args=[issue.pk]), icon="visibility"),
                *self.action_links(user=account(request), row=issue),
            ]
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The stories as they were arranged, and those that were taken in."""
        super().save_related(request, form, formsets, change)
        if not change or form.has_changed() or any(formset.has_changed() for formset in formsets):
            second_person.edited(issue=form.instance, actor=account(request))
        chosen = [int(pk) for pk in request.POST.getlist("take_in") if pk.isdecimal() and len(pk) < 19]
        if change and chosen:
            try:
                arranging.take_in(issue=form.instance, articles=chosen, actor=account(request))
            except (arranging.NotEditable, composing.Mismatch) as refusal:
                messages.error(request, str(refusal))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A letter goes to one of this person's newsletters."""
        if db_field.name == "newsletter":
            everything = Newsletter.objects.all()
            kwargs["queryset"] = rights.of_newsletters(everything, user=account(request), field="pk")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def zone(self, row: Issue) -> str:
        """The desk's: one time zone everywhere."""
        return timezone.get_current_timezone_name()

    def form_of(self, *, action: Action[Any], row: Issue, request: HttpRequest) -> Form:
        """The form of an action: approval shows the audience, a proof goes to the editor by default."""
        data = request.POST if request.method == "POST" else None
        if action.form is forms.Approve:
            return forms.Approve(data, **audience_facts(issue=row, now=database_clock.now()))
        if action.form is forms.Failed:
            return forms.Failed(data, **failed_facts(issue=row, now=database_clock.now()))
        if action.form is forms.Rest:
            return forms.Rest(data, **rest_facts(issue=row, now=database_clock.now()))
        form = super().form_of(action=action, row=row, request=request)
        if isinstance(form, forms.Proof):
            form.initial["to"] = account(request).email
            texts = variant_names.looked_at(issue=row, now=database_clock.now())
            form.offer([(text.key, text.name) for text in texts])
        return form

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The progress panel alone, which an open page refreshes."""
        context = panel.context(issue=self.seen(request, pk), user=account(request), can_wait=True)
        return render(request, "admin/digests/issue/progress.html", context)

    def correct_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write a correction to those who got the issue."""
        return correct.page(admin=self, request=request, issue=self.seen(request, pk))

    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The preview: the mail in a sandboxed frame, with its text and headers, in each of its variants."""
        issue, variant, now = self.seen(request, pk), request.GET.get("variant", ""), database_clock.now()
        context: dict[str, Any] = {"issue": issue, "title": _("Preview"), "opts": self.opts, "variant": variant}
        context["variants"] = variant_names.looked_at(issue=issue, now=now)
        try:
            context["snapshot"] = snapshot = proofs.preview(issue=issue, now=now, variant=variant)
            context["text"] = archive.neutral_text(text=snapshot.text)
        except rendering.RenderingError as refusal:
            context["refusal"] = str(refusal)
        return render(request, "admin/digests/issue/preview.html", {**self.admin_site.each_context(request), **context})

    def part_view(self, request: HttpRequest, pk: int, part: str) -> HttpResponse:
        """One look of the mail alone, for the frame."""
        return looks.part(issue=self.seen(request, pk), part=part, variant=request.GET.get("variant", ""))

    def reader_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The mail as one reader would get it, for the frame. The address is posted, so it is in no address."""
        return looks.as_reader(issue=self._for_reading(request, pk), words=request.POST.get("reader", ""))

    def find_reader_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """The readers that what is typed may mean. It is posted, so that no address is in an address."""
        fitting = looks.readers(issue=self._for_reading(request, pk), words=request.POST.get("reader", ""))
        return JsonResponse({"readers": [[row.subscriber.address, row.subscriber.name] for row in fitting]})

    def _for_reading(self, request: HttpRequest, pk: int) -> Issue:
        if not request.user.has_perm(reports.SEE_READERS):
            raise PermissionDenied
        return self.seen(request, pk)

    def compose_view(self, request: HttpRequest) -> HttpResponse:
        """Compose a digest by hand, of everything new."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = forms.Compose(request.POST or None, user=account(request))
        if request.method == "POST" and form.is_valid():
            offer = form.cleaned_data["offer"]
            try:
                issue = composing.compose_new(
                    newsletter=offer.newsletter, cadence=offer.cadence, actor=account(request), now=database_clock.now()
                )
            except composing.NothingNew as refusal:
                form.add_error(None, str(refusal))
            else:
                return HttpResponseRedirect(reverse("admin:digests_issue_change", args=[issue.pk]))
        context = {"title": _("Compose a digest"), "form": form, "opts": self.opts}
        return render(request, "admin/digests/issue/compose.html", {**self.admin_site.each_context(request), **context})

    @display(description=_("Subject"), ordering="subject")  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def title(self, issue: Issue) -> str:
        """The frozen subject, or the one of the draft."""
        frozen = getattr(issue, "snapshot", None)
        return frozen.subject if frozen else issue.subject or composer.title(issue=issue)

    @admin.display(description=_("Reason"))
    def shown_reason(self, issue: Issue) -> str:
        """The reason of its state, as a sentence."""
        return issue.reason_sentence

    @display(description=_("State"), ordering="state", label=STATE_LABELS)  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_state(self, issue: Issue) -> tuple[str, str]:
        """The state, which selects the colour, and its label."""
        return issue.state, issue.get_state_display()

    @display(description=_("Kind"), ordering="kind")  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_kind(self, issue: Issue) -> str:
        """Kind, cadence and period in one line."""
        return ", ".join(filter(None, [issue.get_kind_display(), issue.get_cadence_display()]))

    @display(description=_("Not mailed"))  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def left_out(self, issue: Issue) -> str:
        """Confirmed readers who do not get the issue, and why; empty once its copies are planned."""
        if issue.planned_at:
            return ""
        sentence = str(unmailed.among(issue.subscriptions(), now=database_clock.now()))
        return sentence or str(_("Nobody is left out: every confirmed reader gets it."))

    def view_on_site(self, issue: Issue) -> str | None:
        """Its page in the archive, once it is public."""
        return links.web_url(issue=issue) if Issue.objects.public().filter(pk=issue.pk).exists() else None

    @display(description=_("When"), ordering="created_at")  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_when(self, issue: Issue) -> str:
        """When it was over, when it leaves, or when it was begun."""
        moment = issue.finished_at or issue.started_at or issue.scheduled_for or issue.created_at
        return hours.when(moment, zone=issue.newsletter.time_zone, now=database_clock.now())

    @display(description=_("Readers"))  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_readers(self, issue: Issue) -> str:
        """How many got it, and of how many while that is not the same."""
        if not issue.planned_at:
            return ""
        done, planned = _done(issue), intcomma(issue.audience_count or 0)
        return planned if done == planned else str(_("%(done)s of %(planned)s") % {"done": done, "planned": planned})

    def seen(self, request: HttpRequest, pk: int) -> Issue:
        """The issue, if this person may see it. On failure: Http404, PermissionDenied."""
        issue: Issue | None = self.get_object(request, str(pk))
        if issue is None:
            raise Http404("There is no such issue.")
        if not self.has_view_permission(request, issue):
            raise PermissionDenied
        return issue


def _done(issue: Issue) -> str:
    """Counted only while it changes, so that a sent issue costs no query; dots where counting takes long."""
    if issue.state in (Issue.State.SENT, Issue.State.SENT_WITH_EXCEPTIONS):
        return intcomma(issue.audience_count or 0)
    progress = stats.glance(issue)
    return intcomma(progress.done) if progress else "…"
