"""What the page of a story has beside its words: the checklist, the comments, and the way to its readers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from articles import bylines, checklist, markup, permissions, publishing, review
from articles.admin import comparing
from articles.admin.checked_forms import Publish
from articles.admin.writing import WritingAdmin
from articles.models import Article, Comment, Revision
from core import database_clock
from publication import previews
from publication.row_actions import Action, account

VERSIONS_SHOWN = 8


class ReviewAdmin(WritingAdmin):
    """A model admin of stories that are read, commented and checked before readers see them."""

    def review_urls(self) -> list[URLPattern]:
        """For `get_urls`, before the admin's own."""
        guard = self.admin_site.admin_view
        return [
            path("checklist/", guard(self.checklist_view), name="articles_article_checklist_new"),
            path("<int:pk>/checklist/", guard(self.checklist_view), name="articles_article_checklist"),
            path("<int:pk>/compare/", guard(self.compare_view), name="articles_article_compare"),
            path("<int:pk>/comments/", guard(self.comment_view), name="articles_article_comment"),
            path("<int:pk>/comments/<int:number>/", guard(self.comment_state_view), name="articles_article_remark"),
        ]

    @method_decorator(require_POST)
    def checklist_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """The checklist of the form as it is posted; nothing is saved."""
        try:
            context: dict[str, Any] = {"report": checklist.report(article=self.typed(request, pk))}
        except markup.MarkupRefused as error:
            context = {"refused": error}
        return previews.unindexed(render(request, "admin/articles/article/_checklist.html", context))

    @method_decorator(require_safe)
    def compare_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Two versions, word by word."""
        story = self.seen(request, pk)
        if not story.revisions.exists():
            raise Http404("The story has no versions.")
        context = {
            **self.admin_site.each_context(request),
            **comparing.context(story=story, given=request.GET),
            "title": _("Compare versions"),
            "subtitle": story.headline,
            "opts": self.opts,
            "original": story,
            "may_restore": self.has_change_permission(request, story),
        }
        return previews.unindexed(render(request, "admin/articles/article/compare.html", context))

    @method_decorator(require_POST)
    def comment_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Add a comment; the comments as they are then."""
        story, given = self.seen(request, pk), request.POST
        try:
            review.comment(
                article=story, text=given.get("comment_text", "")[:2000], quote=given.get("comment_quote", ""),
                actor=account(request), now=database_clock.now(),
            )  # fmt: skip
        except publishing.PublishingError as refusal:
            return self._comments(request, story, str(refusal))
        return self._comments(request, story)

    @method_decorator(require_POST)
    def comment_state_view(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """Resolve a comment, or open it again; the comments as they are then."""
        story = self.seen(request, pk)
        remark = story.comments.filter(pk=number).first()
        if remark is None:
            raise Http404("There is no such comment.")
        verb = review.reopen if request.POST.get("comment_state") == "open" else review.resolve
        verb(remark=remark, actor=account(request), now=database_clock.now())
        return self._comments(request, story)

    def _comments(self, request: HttpRequest, story: Article, refusal: str = "") -> HttpResponse:
        """The fragment for a script, or the way back to the page."""
        if request.headers.get("X-Requested-With") != "fetch":
            if refusal:
                messages.error(request, refusal)
            return HttpResponseRedirect(reverse("admin:articles_article_change", args=[story.pk]))
        context = {"original": story, "comments": comments_of(story), "refusal": refusal}
        return previews.unindexed(render(request, "admin/articles/article/_comments.html", context))

    def form_of(self, *, action: Action[Any], row: Any, request: HttpRequest) -> forms.Form:
        """The form of the action; the one before publishing knows the story."""
        if issubclass(action.form, Publish):
            return action.form(request.POST if request.method == "POST" else None, article=row)
        return super().form_of(action=action, row=row, request=request)

    def side(self, request: HttpRequest, story: Article | None) -> dict[str, Any]:
        """What the panels of the page show."""
        user = account(request)
        publish = self.row_actions["publish"]
        if story is None:
            return {"may_publish": publish.is_permitted(user=user)}
        return {
            "may_publish": publish.is_offered(user=user, row=story),
            "report": checklist.report(article=story),
            "comments": comments_of(story),
            "versions": list(story.revisions.select_related("created_by")[:VERSIONS_SHOWN]),
        }

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new story begins in the section of this person's last one, or in the first one."""
        given = super().get_changeform_initial_data(request)
        if "section" not in given and (section := _section_for(request)) is not None:
            given["section"] = section
        return given

    def sign(self, request: HttpRequest, story: Article) -> None:
        """The name of the writer under a new story."""
        bylines.sign(article=story, user=account(request))

    def response_add(self, request: HttpRequest, obj: Article, post_url_continue: str | None = None) -> HttpResponse:
        """After “Publish”: on to the page that asks."""
        if (target := self._to_publish(request, obj)) is not None:
            return target
        response: HttpResponse = super().response_add(request, obj, post_url_continue)
        return response

    def response_change(self, request: HttpRequest, obj: Article) -> HttpResponseBase:
        """After “Publish”: on to the page that asks."""
        if (target := self._to_publish(request, obj)) is not None:
            return target
        response: HttpResponseBase = super().response_change(request, obj)
        return response

    def _to_publish(self, request: HttpRequest, story: Article) -> HttpResponseRedirect | None:
        if "_publish" not in request.POST:
            return None
        return HttpResponseRedirect(self.action_url(story, self.row_actions["publish"]))


def comments_of(story: Article) -> list[Comment]:
    """The comments of a story: open ones first, each in its order."""
    comments = story.comments.select_related("created_by", "resolved_by")
    return sorted(comments, key=lambda one: one.resolved_at is not None)


def _section_for(request: HttpRequest) -> int | None:
    allowed = permissions.sections_of(account(request))
    mine = Revision.objects.filter(created_by=account(request), article__section__in=allowed).order_by("-pk")
    last = mine.values_list("article__section", flat=True).first()
    return last if last is not None else allowed.values_list("pk", flat=True).first()
