"""Whole addresses that stand in mails."""

from django.urls import reverse

from articles.models import Article
from digests.models import Issue
from publication import urls
from subscribers.models import Newsletter


def newsletter_url(*, newsletter: Newsletter) -> str:
    """The newsletter's page: what it is, past issues, sign-up."""
    return urls.absolute(newsletter.get_absolute_url())


def web_url(*, issue: Issue) -> str:
    """The issue in the archive; while it has no number, the newsletter's page."""
    if issue.number is None:
        return newsletter_url(newsletter=issue.newsletter)
    return urls.absolute(reverse("issue", args=[issue.newsletter.slug, issue.number]))


def article_url(*, article: Article) -> str:
    """The story's page."""
    return urls.absolute(article.get_absolute_url())
