"""A newsletter's past issues for feed readers: the introduction, and each story as the mail showed it."""

import functools

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string

from articles import syndication
from core import caching, page_tags
from digests import archive, issue_content, links
from digests.models import Issue, IssueItem
from mailkit import html
from publication import context, feed_formats, languages
from publication.feed_formats import Channel, Entry, Kind
from subscribers.models import Newsletter

LENGTH = 20


@caching.public
def newsletter(request: HttpRequest, slug: str, kind: Kind) -> HttpResponse:
    """The newest public issues of a newsletter."""
    publication = context.of(request)
    letter = get_object_or_404(Newsletter, slug=slug)
    page_tags.add(f"newsletter:{letter.pk}")
    newest = list(archive.issues(newsletter=letter)[:LENGTH])
    with languages.override(letter.language, publication=publication):
        channel = Channel(
            title=f"{publication.name}: {letter.local.name}",
            path=letter.get_absolute_url(),
            description=letter.local.description,
            entries=tuple(_entry(issue) for issue in newest),
            # What an issue shows of a story that was withdrawn since changes without a date of its own.
            changed_at=None,
        )
        return feed_formats.response(request, kind=kind, channel=channel, publication=publication)


def _entry(issue: Issue) -> Entry:
    page_tags.add(f"issue:{issue.pk}")
    snapshot = issue.snapshot
    return Entry(
        identity=f"tag:{settings.SITE_HOST},{snapshot.frozen_at:%Y-%m-%d}:issue/{issue.pk}",
        url=links.web_url(issue=issue),
        title=snapshot.subject,
        summary=snapshot.preheader,
        html=_text(issue),
        published_at=snapshot.frozen_at,
        updated_at=snapshot.frozen_at,
    )


def _text(issue: Issue) -> str:
    # Also those that were withdrawn: the page depends on their coming back.
    items = IssueItem.objects.filter(issue=issue, included=True)
    items = items.with_stories("lead_image", "section", texts=issue.kind == Issue.Kind.ARTICLE)
    first = list(items[: issue_content.HEADLINES])
    page_tags.add(*(f"article:{item.article_id}" for item in first))
    if issue.kind == Issue.Kind.ARTICLE:
        return "".join(syndication.in_feed(item.article) for item in first[:1] if item.article.is_public)
    stories = [
        {
            "headline": str(item),
            "summary": item.summary or item.article.summary,
            "url": links.article_url(article=item.article),
            "picture": issue_content.picture(item.article.lead_image) if item.article.lead_image else None,
        }
        for item in first
        if item.article.is_public
    ]
    introduction = _introduction(issue.introduction)
    return render_to_string("digests/feed_issue.html", {"introduction": introduction, "stories": stories})


@functools.lru_cache(maxsize=256)
def _introduction(source: str) -> str:
    """What a frozen issue begins with. It was rendered once, so it is rendered again."""
    return html.render(source, profile="letter").html if source.strip() else ""
