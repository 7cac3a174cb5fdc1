"""Stories and issues as lines of a list: where each leads, its state, and what else is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.urls import reverse

from articles.models import Article
from digests.models import Issue


@dataclass(frozen=True, slots=True)
class Line:
    """As `templates/admin/desk/_lines.html` shows it; `kind` is the code of the state, which colours it."""

    link: str
    text: str
    note: str
    state: str = ""
    kind: str = ""


def of_story(story: Article, *, reason: str = "") -> Line:
    """With its section and its last change; why it waits for somebody is shown in the place of its state."""
    return Line(
        link=reverse("admin:articles_article_change", args=[story.pk]),
        text=str(story),
        note=f"{story.section.name}, {naturaltime(story.updated_at)}",
        state=reason or str(story.get_state_display()),
        kind="" if reason else story.state,
    )


def of_issue(issue: Issue, *, note: str) -> Line:
    """By the subject under which it leaves."""
    frozen = getattr(issue, "snapshot", None)
    return Line(
        link=reverse("admin:digests_issue_change", args=[issue.pk]),
        text=frozen.subject if frozen else str(issue),
        note=note,
        state=str(issue.get_state_display()),
        kind=issue.state,
    )


def to_approve(issue: Issue, *, note: str) -> Line:
    """By its newsletter, and its subject or cadence: it is a draft, which has no subject yet or another one soon."""
    name = str(issue.newsletter)
    if issue.subject:
        name = f"{name}: {issue.subject}"
    elif issue.cadence:
        name = f"{name}, {issue.get_cadence_display().lower()}"
    return Line(link=reverse("admin:digests_issue_change", args=[issue.pk]), text=name, note=note)
