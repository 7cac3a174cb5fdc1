"""Absolute URLs of issues and stories, for mails."""

from django.urls import reverse

from articles.models import Article
from digests.models import Issue
from publication import urls
from subscribers import links as readers_links


def web_url(*, issue: Issue) -> str:
    """The issue in the archive; before it has a number, the newsletter's page."""
    if issue.number is None:
        return readers_links.newsletter_url(newsletter=issue.newsletter)
    return urls.absolute(reverse("issue", args=[issue.newsletter.slug, issue.number]))


def stories_url(*, issue: Issue) -> str:
    """The list of all stories of the issue; before it has a number, the newsletter's page."""
    if issue.number is None:
        return readers_links.newsletter_url(newsletter=issue.newsletter)
    return urls.absolute(reverse("issue_stories", args=[issue.newsletter.slug, issue.number]))


def article_url(*, article: Article) -> str:
    """The story's page."""
    return urls.absolute(article.get_absolute_url())
