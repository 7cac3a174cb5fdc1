"""Stories in the admin: the form, the actions and the preview."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.decorators import display

from articles import deletion, markup, permissions, publishing, search, views
from articles.admin.actions import ACTIONS, REFUSALS
from articles.admin.bylines import BylineFormSet, BylineInline
from articles.admin.forms import COLUMNS, StoryForm
from articles.admin.hands import Hands
from articles.admin.translating import LanguageFilter, TranslatingAdmin, TranslationFilter
from articles.admin.writing import SENTENCES
from articles.models import Article, Correction
from core import database_clock
from publication import markdown_forms, previews
from publication.row_actions import Action, account, link

# Related rows that go with a draft; nobody has a right to delete them by themselves.
GOES_WITH_STORY = {"revision", "correction", "slug redirect", "byline"}
SCRIPTS = (
    "articles/focus",
    "articles/pictures",
    "articles/cards",
    "articles/story-editor",
    "publication/live-preview",
    "articles/story-keeping",
    "articles/story-presence",
    "articles/story-review",
)
STATE_LABELS = {
    Article.State.DRAFT: "info",
    Article.State.IN_REVIEW: "warning",
    Article.State.APPROVED: "success",
    Article.State.SCHEDULED: "warning",
    Article.State.PUBLISHED: "success",
    Article.State.WITHDRAWN: "danger",
}


class CorrectionInline(TabularInline):  # type: ignore[misc]  # django-unfold publishes no types
    """The corrections that readers read; new ones are added by the action."""

    model = Correction
    extra = 0
    fields = ("corrected_at", "text", "created_by")
    readonly_fields = ("corrected_at", "created_by")

    def has_add_permission(self, request: HttpRequest, obj: Article | None = None) -> bool:
        """By the action only, which tells the time and the person."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Correction | None = None) -> bool:
        """A published correction cannot be removed."""
        return False


@admin.register(Article)
class ArticleAdmin(TranslatingAdmin):
    """Stories. The state is shown everywhere and edited nowhere."""

    new_title = _("New story")
    form = StoryForm
    inlines = (BylineInline, CorrectionInline)
    list_display = ("headline", "shown_state", "section", "shown_byline", "shown_when")
    list_filter = (Hands, "state", LanguageFilter, TranslationFilter, "section", "authors", "tags", "published_at")
    list_before_template = "admin/articles/article/_tabs.html"
    list_select_related = ("section",)
    list_per_page = 50
    # What `get_search_results` does with it.
    search_fields = ("headline",)
    search_help_text = _("Words of the headline, the standfirst or the text, or how they begin")
    ordering = ("-updated_at",)
    prepopulated_fields = {"slug": ("headline",)}
    autocomplete_fields = ("section", "tags", "lead_image")
    readonly_fields = (
        "state", "publish_at", "first_published_at", "withdrawn_at", "withdrawal_reason", "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("base", "copy", "headline", "standfirst", "body_markdown")}),
        (_("Section and address"), {"fields": ("section", "tags", "language", "slug", "published_at")}),
        (_("Picture"), {"fields": ("lead_image",)}),
        (
            _("State"),
            {"classes": ("collapse",), "fields": readonly_fields, "description": _("Changed by the actions above.")},
        ),
    )
    change_form_template = "admin/articles/article/change_form.html"
    warn_unsaved_form = True
    compressed_fields = True
    row_actions = ACTIONS
    refusals = REFUSALS
    actions = ("submit_selected", "publish_selected", "return_selected")

    class Media:
        css = {
            "all": [
                "publication/live-preview.css", "articles/story-editor.css", "articles/story-review.css",
                "articles/pictures.css",
            ]
        }  # fmt: skip
        js = [
            Script("mfa/js/webauthn-json.js", defer=True),
            *(Script(f"{name}.js", defer=True) for name in SCRIPTS),
        ]

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses, and those of the preview and of each action."""
        guard = self.admin_site.admin_view
        return [
            path("<int:pk>/preview/", guard(self.preview_view), name="articles_article_preview"),
            *self.writing_urls(),
            *self.review_urls(),
            *self.translating_urls(),
            *self.action_urls(),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Article | None = None) -> Any:
        """A story that readers know asks why it is changed."""
        why = [(_("Published already"), {"fields": ("why",)})] if obj is not None and obj.is_public else []
        return [self.fieldsets[0], *why, *self.fieldsets[1:]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        """Every story for editors and publishers, an author's own for authors."""
        return permissions.visible_to(account(request)).prefetch_related("bylines__author")

    def has_view_permission(self, request: HttpRequest, obj: Article | None = None) -> bool:
        """Asked of the very story where there is one."""
        allowed: bool = super().has_view_permission(request, obj)
        return allowed and (obj is None or permissions.may_view(user=account(request), article=obj))

    def has_change_permission(self, request: HttpRequest, obj: Article | None = None) -> bool:
        """Asked of the very story where there is one."""
        if obj is None:
            allowed: bool = super().has_change_permission(request, obj)
            return allowed
        return permissions.may_edit(user=account(request), article=obj)

    def has_delete_permission(self, request: HttpRequest, obj: Article | None = None) -> bool:
        """A story that readers have seen is withdrawn, never deleted."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.first_published_at is None)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """A draft's versions and bylines go with it, though nobody may delete them by themselves."""
        objects, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return objects, counts, lacking - GOES_WITH_STORY, protected

    def delete_model(self, request: HttpRequest, obj: Article) -> None:
        """Delete one draft."""
        deletion.delete(article=obj, actor=account(request), now=database_clock.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        """Delete each draft; one that readers have seen by now is named, and stays."""
        for story in queryset:
            try:
                self.delete_model(request, story)
            except self.refusals as refusal:
                messages.error(request, f"{story.headline}: {refusal}")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A story goes into one of this person's sections."""
        if db_field.name == "section":
            kwargs["queryset"] = permissions.sections_of(account(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the index of the stories' words."""
        return (search.beginning_with(queryset, query=search_term) if search_term.strip() else queryset), False

    def view_on_site(self, obj: Article) -> str | None:
        """Only where readers find something."""
        return obj.get_absolute_url() if obj.is_public else None

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        """Save what the form shows and nothing else: a state that changed meanwhile stays changed."""
        if change:
            obj.save(update_fields=[*COLUMNS, "updated_at"])
        else:
            obj.save()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """The authors that somebody else saved stay, where the form left them as they had been."""
        if isinstance(formset, BylineFormSet):
            formset.taken = form.taken_authors
        super().save_formset(request, form, formset, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After tags and bylines: store the HTML and keep a version, in the transaction of the form."""
        super().save_related(request, form, formsets, change)
        if not change:
            self.sign(request, form.instance)
        publishing.save_revision(
            article=form.instance,
            actor=account(request),
            now=database_clock.now(),
            note=form.cleaned_data.get("why", ""),
        )
        markdown_forms.tell(request=request, form=form)
        self.note_saved(request, form.cleaned_data.get("copy", ""))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Above the form: what can be done to this story, by this person, now."""
        story = kwargs.get("obj")
        context["writing"] = story is None or self.has_change_permission(request, story)
        context |= self.side(request, story)
        context |= {"zone": timezone.get_current_timezone_name(), "sentences": SENTENCES}
        if story is not None:
            context["actions_detail"] = [
                link(str(_("Preview page")), reverse("admin:articles_article_preview", args=[story.pk])),
                link(str(_("Versions")), reverse("admin:articles_article_compare", args=[story.pk])),
                *self.action_links(
                    user=account(request), row=story, besides=("publish",) if context["writing"] else ()
                ),
            ]
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    @method_decorator(previews.page)
    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page as readers would get it, of what is saved now."""
        story = self.seen(request, pk)
        try:
            rendered = markup.render(story.body_markdown)
        except markup.MarkupRefused as error:
            return HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=422)
        story.body_html, story.body_sha256 = rendered.html, rendered.sha256
        return previews.unindexed(views.story_page(request, story))

    def seen(self, request: HttpRequest, pk: int) -> Article:
        """The story, if this person may see it; otherwise as if it did not exist."""
        story = permissions.visible_to(account(request)).with_related().filter(pk=pk).first()
        if story is None:
            raise Http404("There is no such story.")
        if not self.has_view_permission(request, story):
            raise PermissionDenied
        return story

    def zone(self, row: Article) -> str:
        """The desk's: one time zone everywhere."""
        return timezone.get_current_timezone_name()

    @admin.action(description=_("Submit for review"), permissions=["change"])
    def submit_selected(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        """Each story by itself: one that cannot is named, and stops no other."""
        self._each(request, queryset, ACTIONS["submit"])

    @admin.action(description=_("Publish now"), permissions=["publish"])
    def publish_selected(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        """Each story by itself: one that cannot is named, and stops no other."""
        self._each(request, queryset, ACTIONS["publish"])

    @admin.action(description=_("Return to draft"), permissions=["edit_any"])
    def return_selected(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        """Each story by itself: one that cannot is named, and stops no other."""
        self._each(request, queryset, ACTIONS["return"])

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """For the list's actions."""
        return account(request).has_perm(permissions.PUBLISH)

    def has_edit_any_permission(self, request: HttpRequest) -> bool:
        """For the list's actions."""
        return account(request).has_perm(permissions.EDIT_ANY)

    @display(description=_("State"), ordering="state", label=STATE_LABELS)  # type: ignore[untyped-decorator]  # unfold's
    def shown_state(self, article: Article) -> tuple[str, str]:
        """The state, which chooses the colour, and its word."""
        return article.state, article.get_state_display()

    @admin.display(description=_("Authors"))
    def shown_byline(self, article: Article) -> str:
        """The names as readers see them."""
        return article.byline

    @admin.display(description=_("When"), ordering="updated_at")
    def shown_when(self, article: Article) -> str:
        """The hour that matters in its state: when it comes out, came out, or was last saved."""
        moment = article.publish_at or article.published_at or article.updated_at
        return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")

    def _each(self, request: HttpRequest, queryset: QuerySet[Article], action: Action[Article]) -> None:
        done = 0
        for story in queryset:
            try:
                action.run(story, account(request), {}, database_clock.now())
            except self.refusals as error:
                messages.error(request, f"{story.headline}: {error}")
            else:
                self.log_change(request, story, action.label)
                done += 1
        if done:
            changed = ngettext("%(verb)s: %(count)s story.", "%(verb)s: %(count)s stories.", done)
            messages.success(request, changed % {"verb": action.label, "count": done})
