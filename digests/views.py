"""Newsletters and their past issues, for readers."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from core import caching, page_tags
from digests import archive, newsletter_pages, web_view
from digests import heads as digest_heads
from digests.models import Issue, IssueItem, Variant
from publication import context as publication_context
from subscribers.models import Newsletter

ISSUES_PER_PAGE = 20
STORIES_PER_PAGE = 50


@caching.public
def newsletters(request: HttpRequest) -> HttpResponse:
    """Every newsletter that readers can sign up for."""
    shown = newsletter_pages.shown(newsletters=Newsletter.objects.filter(is_open=True), now=timezone.now())
    letters = [each.newsletter for each in shown]
    head = digest_heads.of_newsletters(newsletters=letters, publication=publication_context.of(request))
    return render(request, "digests/newsletters.html", {"newsletters": shown, "head": head})


@caching.public
def newsletter(request: HttpRequest, slug: str) -> HttpResponse:
    """One newsletter: what comes and how often, its last issue, its past issues, and the first step of a sign-up."""
    shown = newsletter_pages.shown(newsletters=Newsletter.objects.filter(slug=slug), now=timezone.now())
    if not shown:
        raise Http404("There is no such newsletter.")
    newsletter, last = shown[0].newsletter, shown[0].last
    page = Paginator(archive.issues(newsletter=newsletter), ISSUES_PER_PAGE).get_page(request.GET.get("page"))
    head = digest_heads.of_newsletter(newsletter=newsletter, page=page, publication=publication_context.of(request))
    context = {"shown": shown[0], "newsletter": newsletter, "chosen": [newsletter], "page": page, "head": head}
    if last is not None and page.number == 1:
        first = archive.item_ids(issue=last)[: newsletter_pages.HEADLINES]
        context |= {"last": last, "stories": _listed(last, first)}
    return render(request, "digests/newsletter.html", context)


# The mail inside has inline styles.
@csp_update({"style-src": [UNSAFE_INLINE]})
@caching.public
def issue(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The frozen issue as readers of this language got it, inside a page of the site; 410 if it was cancelled."""
    issue = _public_issue(slug, number)
    if issue.state == Issue.State.CANCELLED:
        return _cancelled(request, issue)
    newsletter, frozen = issue.newsletter, issue.snapshot.local
    own = newsletter.language or publication_context.of(request).language
    language = frozen.language if isinstance(frozen, Variant) else own
    context = {"issue": issue, "frozen": frozen, "newsletter": newsletter, "chosen": [newsletter], "language": language}
    context["head"] = digest_heads.of_issue(issue=issue, publication=publication_context.of(request))
    return render(request, "digests/issue.html", context | {"view": web_view.of(snapshot=frozen)})


@caching.public
def issue_stories(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """All stories of the issue as headlines, also those that its mail only counted; 410 if it was cancelled."""
    issue = _public_issue(slug, number)
    if issue.state == Issue.State.CANCELLED:
        return _cancelled(request, issue)
    page = Paginator(archive.item_ids(issue=issue), STORIES_PER_PAGE).get_page(request.GET.get("page"))
    stories = _listed(issue, page.object_list)
    head = digest_heads.of_stories(issue=issue, page=page, publication=publication_context.of(request))
    shown = {"issue": issue, "newsletter": issue.newsletter, "page": page, "stories": stories, "head": head}
    return render(request, "digests/stories.html", shown)


def _listed(issue: Issue, ids: Iterable[int]) -> list[IssueItem]:
    items = archive.listed(issue=issue, ids=ids)
    page_tags.add(*(f"article:{item.article_id}" for item in items))
    return items


def _public_issue(slug: str, number: int) -> Issue:
    """The issue, if it is public or was cancelled. On failure: Http404."""
    numbered = archive.with_variants(Issue.objects.select_related("newsletter", "snapshot"), Variant.objects.all())
    issue = get_object_or_404(numbered, newsletter__slug=slug, number=number)
    page_tags.add(f"issue:{issue.pk}")
    if issue.state != Issue.State.CANCELLED and not Issue.objects.public().filter(pk=issue.pk).exists():
        raise Http404("This issue has not been sent yet.")
    return issue


def _cancelled(request: HttpRequest, issue: Issue) -> HttpResponse:
    return render(request, "digests/cancelled.html", {"issue": issue}, status=HTTPStatus.GONE)
