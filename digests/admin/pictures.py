"""What the library of pictures asks of issues: where stories with a picture went, and which mails show its files."""

from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from articles import picture_library
from articles.models import Article
from articles.picture_library import Place
from digests.models import Issue, Snapshot

MOST = 50


def issues_with(stories: QuerySet[Article]) -> list[Place]:
    """The newest issues in which these stories were frozen."""
    frozen = Issue.objects.filter(items__article__in=stories, snapshot__isnull=False).distinct()
    rows = frozen.select_related("newsletter", "snapshot").order_by("-pk")[:MOST]
    return [
        Place(
            kind=_("In the issue"),
            name=f"{issue.newsletter}: {issue.snapshot.subject}",
            url=reverse("admin:digests_issue_change", args=[issue.pk]),
        )
        for issue in rows
    ]


def shown(files: list[str]) -> bool:
    """Whether a frozen mail shows one of these stored files; reads all of them, so it is asked at a deletion only."""
    named = [Q(html__contains=name) for name in files]
    return bool(named) and Snapshot.objects.filter(reduce(or_, named)).exists()


picture_library.also_in(picture_library.Mails(with_stories=issues_with, show_one_of=shown))
