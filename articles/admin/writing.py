"""What the page asks on which a story is written: the page of the words that are on the screen, unsaved."""

from typing import Final

from csp.decorators import csp_replace
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST

from articles import markup, unsaved, views
from articles.models import Article
from core import database_clock
from mailkit import html
from publication.row_actions import ActionAdmin

# The real page with the reader's policy, in a box of its own: nothing in a draft can act as its reader.
PREVIEW_POLICY: Final = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | {
    "frame-ancestors": ["'self'"],
    "script-src": ["'none'"],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}
# The frame beside the text. It runs no script, and so may be of our origin: the page around it puts in the words and
# leaves the reader's place where it was.
FRAME_POLICY: Final = PREVIEW_POLICY | {"sandbox": [*PREVIEW_POLICY["sandbox"], "allow-same-origin"]}
EMPTY: Final = "<!doctype html><html lang='en'><title>Preview</title><body></body></html>"


class WritingAdmin(ActionAdmin):
    """A model admin of stories whose form shows what becomes of the words while they are typed."""

    def writing_urls(self) -> list[URLPattern]:
        """For `get_urls`, before the admin's own."""
        guard = self.admin_site.admin_view
        return [
            path("preview-frame/", guard(self.frame_view), name="articles_article_frame"),
            path("unsaved/", guard(self.unsaved_view), name="articles_article_unsaved_new"),
            path("<int:pk>/unsaved/", guard(self.unsaved_view), name="articles_article_unsaved"),
        ]

    @method_decorator(csp_replace(FRAME_POLICY))
    @method_decorator(xframe_options_sameorigin)
    def frame_view(self, request: HttpRequest) -> HttpResponse:
        """An empty page with the policy of the preview. The process is made ready for what follows."""
        html.prepare()
        return HttpResponse(EMPTY)

    @method_decorator(csp_replace(PREVIEW_POLICY))
    @method_decorator(require_POST)
    def unsaved_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """The page that readers would get of the form as it is posted; nothing is saved."""
        if pk is None and not self.has_add_permission(request):
            raise PermissionDenied
        saved = self.seen(request, pk) if pk else None
        try:
            story = unsaved.story(data=request.POST, saved=saved, now=database_clock.now())
        except markup.MarkupRefused as error:
            response = HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=422)
        else:
            response = views.story_page(request, story)
        html.prepare()
        return self.unindexed(response)

    def unindexed(self, response: HttpResponse) -> HttpResponse:
        """A page that is for editors only, and kept nowhere."""
        response.headers["Cache-Control"] = "no-store, private"
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    def seen(self, request: HttpRequest, pk: int) -> Article:
        """The story, if this person may see it; otherwise as if it did not exist."""
        raise NotImplementedError
