"""What the page asks on which a story is written: the page of its words, what was not saved, who else is there."""

import json
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from articles import markup, permissions, presence, unsaved, views, working_copies
from articles.admin import cards
from articles.models import Article
from articles.refusals import PublishingError
from core import database_clock
from mailkit import html
from publication import previews
from publication.row_actions import ActionAdmin, account
from staff import names

# In the session: the forms that were saved last, so that the browser forgets what it has of them.
SAVED: Final = "saved_forms"
SAVED_FORMS: Final = 20


# For story-keeping.js and story-presence.js.
SENTENCES: Final[dict[str, str | Promise]] = {
    "kept": _("Kept at {time}, not saved yet"),
    "saving": _("Saving…"),
    "away": _("No connection. Your words are kept in this browser, and sent when it is back."),
    "nopasskey": _("The passkey was not used: the browser or the key stopped, or there is none for this site."),
    "notsaved": _("Not saved: no connection. Your words are kept in this browser. Save again when it is back."),
    "ended": _("Your session has ended. Your words are kept in this browser."),
    "refused": _("This account may not write here any more. Your words are kept in this browser."),
    "offer": _("On {when} you typed something here that was never saved."),
    "offernew": _("On {when} you began “{headline}”, which was never saved."),
    "differs": _("It differs in: {fields}."),
    "takeup": _("Take it up"),
    "discard": _("Discard"),
    "authors": _("Authors"),
    "others": _("Also writing here: {names}."),
    "self": _("You have this story open in another window, too."),
    "newer": _("{name} saved this story at {time}. When you save, you see what both of you changed."),
    "somebody": _("Somebody"),
}


class WritingAdmin(ActionAdmin):
    """A model admin of stories whose form shows what becomes of the words while they are typed."""

    def writing_urls(self) -> list[URLPattern]:
        """For `get_urls`, before the admin's own."""
        guard = self.admin_site.admin_view
        return [
            path("cards/", guard(cards.stories_view), name="articles_article_cards"),
            path("preview-frame/", guard(self.frame_view), name="articles_article_frame"),
            path("unsaved/", guard(self.unsaved_view), name="articles_article_unsaved_new"),
            path("copies/", guard(self.copies_view), name="articles_article_copies_new"),
            path("<int:pk>/copies/", guard(self.copies_view), name="articles_article_copies"),
            path("<int:pk>/presence/", guard(self.presence_view), name="articles_article_presence"),
            path("<int:pk>/unsaved/", guard(self.unsaved_view), name="articles_article_unsaved"),
        ]

    @method_decorator(previews.frame)
    def frame_view(self, request: HttpRequest) -> HttpResponse:
        """An empty page with the policy of the preview. The process is made ready for what follows."""
        if not account(request).has_perm(permissions.CHANGE):
            raise PermissionDenied
        html.prepare()
        return HttpResponse(previews.EMPTY)

    @method_decorator(previews.page)
    @method_decorator(require_POST)
    def unsaved_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """The page that readers would get of the form as it is posted; nothing is saved."""
        try:
            story = self.typed(request, pk)
        except markup.MarkupRefused as error:
            response = HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=422)
        else:
            response = views.story_page(request, story)
        html.prepare()
        return previews.unindexed(response)

    @method_decorator(require_http_methods(["GET", "POST", "DELETE"]))
    def copies_view(self, request: HttpRequest, pk: int | None = None) -> JsonResponse:
        """What this person typed and did not save: listed by GET, kept by POST, forgotten by DELETE. JSON."""
        user, article = account(request), self.seen(request, pk) if pk else None
        if not user.has_perm(permissions.CHANGE):
            raise PermissionDenied
        token = request.GET.get("token", "")
        try:
            if request.method == "POST":
                content = json.loads(request.body)
                working_copies.keep(user=user, article=article, token=token, content=content, now=database_clock.now())
            elif request.method == "DELETE":
                working_copies.discard(user=user, token=token)
            copies = [] if request.method == "POST" else working_copies.of(user=user, article=article)
        except PublishingError as refusal:
            return JsonResponse({"error": str(refusal)}, status=422)
        except ValueError:
            return JsonResponse({"error": ""}, status=400)
        listed = [{"token": copy.token, "at": copy.updated_at, **copy.content} for copy in copies]
        return JsonResponse({"copies": listed, "saved": request.session.get(SAVED, [])})

    @method_decorator(require_POST)
    def presence_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Who else has the story open, and its last version. JSON."""
        article, token = self.seen(request, pk), request.GET.get("token", "")
        if "leave" in request.GET:
            presence.leave(article=article, token=token)
            return JsonResponse({})
        others = presence.here(user=account(request), article=article, token=token, now=database_clock.now())
        last = article.revisions.select_related("created_by").first()
        return JsonResponse({
            "others": [{"name": other.name, "self": other.is_self} for other in others],
            "last": {
                "number": last.number, "at": last.created_at,
                "by": names.of(last.created_by),
            } if last else None,
        })  # fmt: skip

    def typed(self, request: HttpRequest, pk: int | None) -> Article:
        """The story of the form as it is posted; nothing is saved. On failure besides: MarkupRefused."""
        if pk is None and not self.has_add_permission(request):
            raise PermissionDenied
        saved = self.seen(request, pk) if pk else None
        return unsaved.story(data=request.POST, saved=saved, now=database_clock.now())

    def note_saved(self, request: HttpRequest, token: str) -> None:
        """The form is saved: its copy is no longer needed here, nor in the browser, which asks for `saved`."""
        if token:
            working_copies.discard(user=account(request), token=token)
            request.session[SAVED] = [token, *request.session.get(SAVED, [])][:SAVED_FORMS]

    def seen(self, request: HttpRequest, pk: int) -> Article:
        """The story, if this person may see it; otherwise as if it did not exist."""
        raise NotImplementedError
