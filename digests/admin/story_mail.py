"""A story as a mail of its own, while it is being written: for the preview beside its text."""

from typing import Final

from csp.decorators import csp
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods

from articles import markup, permissions, unsaved
from articles.models import Article
from core import database_clock
from digests import archive, issue_content, rendering
from mailkit import html
from publication.mail_frames import MAIL_POLICY
from publication.row_actions import account
from subscribers.models import Newsletter

# As the frame of the story's page (`articles.admin.writing`): no script, and so it may be of our origin.
POLICY: Final = MAIL_POLICY | {
    "frame-ancestors": ["'self'"],
    "sandbox": ["allow-same-origin", "allow-popups", "allow-popups-to-escape-sandbox"],
}
EMPTY: Final = "<!doctype html><html lang='en'><title>Mail</title><body></body></html>"


@csp(POLICY)
@xframe_options_sameorigin
@require_http_methods(["GET", "POST"])
def story_mail(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """GET: an empty page for the frame. POST: the mail that a story's form would become; nothing is saved."""
    saved = _story(request, pk)
    if request.method == "GET":
        html.prepare()
        return HttpResponse(EMPTY)
    try:
        document, status = _mail(request, saved), 200
    except (markup.MarkupRefused, rendering.RenderingError) as refusal:
        document, status = str(refusal), 422
    html.prepare()
    kind = "text/html" if status == 200 else "text/plain"
    headers = {"Cache-Control": "no-store, private"}
    return HttpResponse(document, status=status, content_type=f"{kind}; charset=utf-8", headers=headers)


def _story(request: HttpRequest, pk: int | None) -> Article | None:
    user = account(request)
    if pk is None:
        if not user.has_perm(permissions.ADD):
            raise PermissionDenied
        return None
    story = Article.objects.with_related().filter(pk=pk).first()
    if story is None or not permissions.may_view(user=user, article=story):
        raise Http404("There is no such story.")
    return story


def _mail(request: HttpRequest, saved: Article | None) -> str:
    """In the first newsletter that readers can sign up for."""
    newsletter = Newsletter.objects.filter(is_open=True).order_by("pk").first()
    if newsletter is None:
        raise rendering.RenderingError(_("There is no newsletter yet."))
    now = database_clock.now()
    article = unsaved.story(data=request.POST, saved=saved, now=now)
    content = issue_content.of_story(article=article, newsletter=newsletter, now=now)
    return archive.neutral_html(html=rendering.write(content=content).html)
