"""The page of an issue that is composed, and of one that waits for its hour: a task, not a form."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import dateformat
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from articles.models import Article
from core import database_clock
from digests import composing, issue_content, rendering, second_person, series, undo, variants
from digests.admin import actions, items, panel, reports
from digests.models import Issue, IssueItem
from digests.preflight import checking
from publication import hours
from publication.row_actions import account
from staff import names

TEMPLATE: Final = "admin/digests/issue/composer.html"
# Stories that are offered to be taken in.
OFFERED: Final = 12
LOOKED_AT: Final = 60


def title(*, issue: Issue) -> str:
    """“Tech News, daily, for Friday 29 November”: newsletter, cadence and day in words."""
    moment = issue.scheduled_for or issue.runs_at or issue.window_end or issue.created_at
    local = moment.astimezone(ZoneInfo(issue.newsletter.time_zone))
    kind = issue.get_cadence_display() if issue.cadence else issue.get_kind_display()
    return _("%(newsletter)s, %(kind)s, for %(day)s") % {
        "newsletter": issue.newsletter.name,
        "kind": str(kind).lower(),
        "day": dateformat.format(local, pgettext("a weekday", "l j F")),
    }


def context(*, issue: Issue, user: User) -> dict[str, Any]:
    """What the composer shows beside the fields."""
    now = database_clock.now()
    # To lay out thousands of stories takes longer than anybody waits for a page.
    is_large = issue.items.count() > items.IN_FORM
    words = None if is_large else issue_content.load(issue=issue, now=now)
    report = checking.report(issue=issue, now=now, words=words) if words else checking.stored(issue=issue, now=now)
    may = actions.offered(issue=issue, user=user)
    return {
        "title": title(issue=issue),
        "page_title": title(issue=issue),
        "issue": issue,
        "report": report,
        "inbox": _inbox(issue, words) if words else _plain(issue),
        "may": may,
        "own_address": user.email,
        "sees_readers": user.has_perm(reports.SEE_READERS),
        "offered": _offered(issue, now),
        "audience": issue.readers(now=now).count(),
        **({} if is_large else actions.variant_facts(issue=issue, now=now)),
        "waits_for_second": names.of(issue.asked_by),
        "second_person": "approve" not in may and not second_person.may_approve(issue=issue, actor=user),
        "actions_detail": [],
    }


def show_pictures(formsets: Iterable[Any]) -> None:
    """Give each story of the form the address of its picture, which a template cannot ask for."""
    for formset in formsets:
        for form in formset.formset.initial_forms:
            image = form.instance.article.lead_image
            form.picture = image.url_for(480) if image else ""


def scheduled(*, admin: ModelAdmin[Issue], request: HttpRequest, issue: Issue) -> HttpResponse:
    """The page of an approved issue before its hour: what leaves when, and the button that takes it back."""
    now, user, hour = database_clock.now(), account(request), issue.scheduled_for
    more = {
        **admin.admin_site.each_context(request),
        **panel.context(issue=issue, user=user),
        "title": title(issue=issue),
        "opts": admin.opts,
        "issue": issue,
        "subject": issue.snapshot.subject if hasattr(issue, "snapshot") else str(issue),
        "may": actions.offered(issue=issue, user=user),
        "seconds": undo.seconds_left(issue=issue, now=now),
        "when": hours.when(hour, zone=issue.newsletter.time_zone, now=now) if hour else "",
        "audience": issue.readers(now=now).count(),
        **actions.variant_facts(issue=issue, now=now),
        "report": checking.report(issue=issue, now=now),
        "own_address": user.email,
    }
    return render(request, "admin/digests/issue/scheduled.html", more)


def _inbox(issue: Issue, words: issue_content.IssueContent) -> dict[str, str]:
    """Sender, subject and preheader as an inbox shows them."""
    try:
        subject, preheader = rendering.inbox_line(content=words)
        sender = rendering.sender(issue=issue).display_name
    except rendering.RenderingError as refusal:
        return _plain(issue) | {"preheader": str(refusal)}
    return {"sender": sender, "subject": subject, "preheader": preheader}


def _plain(issue: Issue) -> dict[str, str]:
    return {"sender": issue.newsletter.name, "subject": issue.subject, "preheader": issue.preheader}


def _offered(issue: Issue, now: datetime) -> list[Article]:
    """The latest public stories in the newsletter's language that are in no issue of the series."""
    if issue.kind == Issue.Kind.LETTER or not composing.is_editable(issue=issue):
        return []
    public = Article.objects.published().in_language(variants.own_language(newsletter=issue.newsletter))
    candidates = list(public.order_by("-published_at").values_list("pk", flat=True)[:LOOKED_AT])
    items = IssueItem.objects.filter(article__in=candidates)
    others = list(items.filter(included=True).exclude(issue=issue).values_list("issue", flat=True).distinct())
    same = list(series.other_issues(issue=issue).filter(pk__in=others).values_list("pk", flat=True))
    taken = set(items.filter(issue__in=[issue.pk, *same]).values_list("article", flat=True))
    free = [pk for pk in candidates if pk not in taken][:OFFERED]
    return list(Article.objects.filter(pk__in=free).only("headline").order_by("-published_at"))
