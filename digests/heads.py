"""What the pages of newsletters and issues tell search engines and link previews."""

from collections.abc import Iterable
from typing import Any

from django.core.paginator import Page
from django.urls import reverse
from django.utils.translation import gettext as _

from digests.models import Issue
from publication import heads, oembed
from publication.heads import FeedLink, Head, Step
from publication.models import Publication
from subscribers.models import Newsletter


def of_newsletters(*, newsletters: Iterable[Newsletter], publication: Publication) -> Head:
    """The list of all newsletters."""
    return heads.page(
        publication=publication,
        path=reverse("newsletters"),
        title=_("Newsletters"),
        description="",
        kind="CollectionPage",
        listed=[(letter.local.name, letter.get_absolute_url()) for letter in newsletters],
    )


def of_newsletter(*, newsletter: Newsletter, page: Page[Issue], publication: Publication) -> Head:
    """A newsletter's page, with its feeds and its card for other sites."""
    path = newsletter.get_absolute_url()
    return oembed.offered(
        heads.page(
            publication=publication,
            path=path,
            title=newsletter.local.name,
            description=newsletter.local.description,
            above=[_all()],
            number=page.number,
            kind="CollectionPage",
            listed=[(issue.snapshot.local.subject, issue.get_absolute_url()) for issue in page],
            feeds=FeedLink(f"{publication.name}: {newsletter.local.name}", path),
        )
    )


def of_issue(*, issue: Issue, publication: Publication) -> Head:
    """An issue as its readers got it."""
    return heads.page(
        publication=publication,
        path=issue.get_absolute_url(),
        title=issue.snapshot.local.subject,
        description=issue.snapshot.local.preheader,
        above=[_all(), Step(issue.newsletter.local.name, issue.newsletter.get_absolute_url())],
    )


def of_stories(*, issue: Issue, page: Page[Any], publication: Publication) -> Head:
    """All stories of an issue."""
    return heads.page(
        publication=publication,
        path=reverse("issue_stories", args=[issue.newsletter.slug, issue.number]),
        title=_("%(subject)s: all stories") % {"subject": issue.snapshot.local.subject},
        description=issue.snapshot.local.preheader,
        above=[
            _all(),
            Step(issue.newsletter.local.name, issue.newsletter.get_absolute_url()),
            Step(issue.snapshot.local.subject, issue.get_absolute_url()),
        ],
        number=page.number,
        kind="CollectionPage",
    )


def _all() -> Step:
    return Step(_("Newsletters"), reverse("newsletters"))
