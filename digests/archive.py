"""Issues as anybody may read them: the frozen snapshot, with nobody's own links in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import QuerySet
from django.utils.html import escape

from digests import issue_content
from digests.models import Issue, IssueItem, Snapshot
from mailkit import segments
from subscribers import links
from subscribers.models import Newsletter


def issues(*, newsletter: Newsletter) -> QuerySet[Issue]:
    """The newsletter's public issues, newest first."""
    return (
        Issue.objects.public()
        .filter(newsletter=newsletter)
        .select_related("newsletter", "snapshot")
        .order_by("-number")
    )


def stories(*, issue: Issue) -> QuerySet[IssueItem, int]:
    """The numbers of the issue's stories that are public, in its order; `listed` has the stories of some of them."""
    return IssueItem.objects.filter(issue=issue).public().values_list("pk", flat=True)


def listed(*, numbers: Iterable[int]) -> QuerySet[IssueItem]:
    """Stories of an issue, in its order, without their texts."""
    places = IssueItem.objects.filter(pk__in=list(numbers))
    return places.select_related("article__section").defer(*issue_content.BODIES)


def web_html(*, snapshot: Snapshot) -> str:
    """The HTML that the issue's readers got, for a browser."""
    return neutral_html(html=snapshot.html, issue=snapshot.issue)


def neutral_html(*, html: str, issue: Issue) -> str:
    """HTML of a mail in which every slot leads where anybody may go."""
    return _filled(html, {name: escape(value) for name, value in _neutral(issue).items()})


def neutral_text(*, text: str, issue: Issue) -> str:
    """Text of a mail in which every slot leads where anybody may go."""
    return _filled(text, _neutral(issue))


def _neutral(issue: Issue) -> dict[str, str]:
    page = links.newsletter_url(newsletter=issue.newsletter)
    return {"unsubscribe_url": page, "preferences_url": page}


def _filled(source: str, values: Mapping[str, str]) -> str:
    return segments.SLOT.sub(lambda slot: values.get(slot[1], ""), source)
