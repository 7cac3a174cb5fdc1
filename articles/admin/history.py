"""Revisions, corrections and former slugs in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from articles import markup, mending, permissions, publishing
from articles.models import Article, Correction, Revision, SlugRedirect
from core import database_clock
from publication.readonly_admin import ReadOnlyAdmin
from publication.row_actions import account


class StoryRecordAdmin(ReadOnlyAdmin):
    """A record: shown, never written here, and only of stories that this person may see."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The records of the stories that this person may see."""
        if not isinstance(request.user, User):
            raise PermissionDenied
        revisions: QuerySet[Any] = super().get_queryset(request)
        return revisions.filter(article__in=permissions.visible_to(request.user))


@admin.register(Revision)
class RevisionAdmin(StoryRecordAdmin):
    """Every version of every story; one can be restored."""

    list_display = ("article", "number", "note", "created_by", "created_at")
    list_display_links = ("article", "number")
    list_filter = ("created_at", "created_by")
    list_select_related = ("article", "created_by")
    search_fields = ("article__headline", "note")
    fields = ("article", "number", "note", "created_by", "created_at", "headline", "standfirst", "text", "related")
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Also the link from a story to its versions."""
        allowed: bool = lookup == "article__id__exact" or super().lookup_allowed(lookup, value, request)
        return allowed

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses, and the one that restores."""
        restoring = self.admin_site.admin_view(self.restore_view)
        return [path("<int:pk>/restore/", restoring, name="articles_revision_restore"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Above the version: restore it, if this person may change the story."""
        revision = kwargs.get("obj")
        if revision is not None and permissions.may_edit(user=request.user, article=revision.article):  # type: ignore[arg-type]  # get_queryset let only accounts in
            address = reverse("admin:articles_revision_restore", args=[revision.pk])
            context["actions_detail"] = [
                {"title": _("Restore"), "path": address, "variant": ActionVariant.DEFAULT, "icon": None, "attrs": {}}
            ]
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def restore_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, and on POST set the story back to this version."""
        revision = self.get_queryset(request).select_related("article").filter(pk=pk).first()
        if revision is None:
            raise Http404("There is no such version.")
        story: Article = revision.article
        back = reverse("admin:articles_article_change", args=[story.pk])
        if request.method == "POST":
            try:
                publishing.restore(revision=revision, actor=request.user, now=database_clock.now())  # type: ignore[arg-type]  # get_queryset let only accounts in
            except (publishing.PublishingError, markup.MarkupRefused) as error:
                messages.error(request, str(error))
            else:
                messages.success(
                    request, _("The story is as it was in version %(number)s.") % {"number": revision.number}
                )
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Restore version %(number)s") % {"number": revision.number},
            "subtitle": story.headline,
            "explanation": _(
                "The words, section, tags, authors and picture become those of this version. "
                "The address, the dates and the state stay. The present text is kept as a version, too."
            ),
            "label": _("Restore"),
            "back": back,
        }
        return render(request, "admin/action.html", context)

    @admin.display(description=_("Headline"))
    def headline(self, revision: Revision) -> str:
        """As it was."""
        return str(revision.snapshot["headline"])

    @admin.display(description=_("Standfirst"))
    def standfirst(self, revision: Revision) -> str:
        """As it was."""
        return str(revision.snapshot["standfirst"])

    @admin.display(description=_("Text"))
    def text(self, revision: Revision) -> str:
        """As it was, in Markdown."""
        return str(revision.snapshot["body_markdown"])

    @admin.display(description=_("Section, authors, tags, picture, address"))
    def related(self, revision: Revision) -> str:
        """By name, as it was."""
        snapshot = revision.snapshot
        rows = [
            snapshot["section"],
            *snapshot["authors"],
            *snapshot["tags"],
            *([snapshot["lead_image"]] if snapshot["lead_image"] else []),
        ]
        return " · ".join([*(row["name"] for row in rows), snapshot["slug"]])


@admin.register(Correction)
class CorrectionAdmin(StoryRecordAdmin):
    """What readers read about a correction. The words can be mended; a correction is added from its story."""

    list_display = ("article", "text", "corrected_at", "created_by")
    list_filter = ("corrected_at",)
    list_select_related = ("article", "created_by")
    search_fields = ("article__headline", "text")
    fields = ("article", "text", "corrected_at", "created_by")
    readonly_fields = ("article", "corrected_at", "created_by")

    def has_change_permission(self, request: HttpRequest, obj: Correction | None = None) -> bool:
        """A slip in a correction may be mended by those who may write one."""
        user = account(request)
        allowed = user.has_perm(permissions.EDIT_ANY) and user.has_perm("articles.change_correction")
        return allowed and (obj is None or permissions.has_section(user, article=obj.article))

    def save_model(self, request: HttpRequest, obj: Correction, form: Any, change: bool) -> None:
        """Mend its words."""
        mending.mend(correction=obj, text=obj.text, actor=account(request), now=database_clock.now())


@admin.register(SlugRedirect)
class SlugRedirectAdmin(StoryRecordAdmin):
    """Addresses that stories once had, and still answer at."""

    list_display = ("slug", "article", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("article",)
    search_fields = ("slug", "article__headline")
