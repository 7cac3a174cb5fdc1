"""The first page of the desk: what goes out next, what is being sent, what waits for this person, what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.contrib.auth.models import User
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count, Max, Model, Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from articles import permissions, review
from articles.models import Article, ArticleQuerySet
from core import database_clock
from digests import replies, second_person, series
from digests.models import Issue, IssueOutcome, Reply
from digests.states import DeliveryState
from newsroom.desk import faults, growth, lines
from newsroom.desk.lines import Line
from publication import context as publications
from publication import hours
from publication.row_actions import account
from staff import names
from subscribers import cadences, schedules
from subscribers import permissions as limits
from subscribers.models import CadenceOffer

State = Issue.State
Row = TypeVar("Row", bound=Model)
UNDER_WAY: Final = (State.PREPARING, State.SENDING, State.PAUSED)
WAITING_STORIES: Final = 8
WAITING_REPLIES: Final = 5
LAST_ISSUES: Final = 5


@dataclass(frozen=True, slots=True)
class Coming:
    """A mailing that is to come: `link` leads to its draft once there is one, else to its newsletter."""

    newsletter_id: int
    newsletter: str
    cadence: str
    at: datetime | None
    when: str
    stories: int
    readers: int
    state: str
    link: str
    is_issue: bool = False
    needs_a_person: bool = False


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the first page shows this person (settings.UNFOLD)."""
    user, now, house = account(request), database_clock.now(), publications.of(request)
    today: dict[str, Any] = {"is_task": True, "title": _("Today"), "zone": timezone.get_current_timezone_name()}
    if user.has_perm("articles.view_article"):
        waiting = _shown(review.waiting_for(user))
        today |= {
            "waiting": [lines.of_story(story, reason=review.why(article=story, user=user)) for story in waiting],
            "my_stories": [lines.of_story(story) for story in stories_of(user)],
        }
    if user.has_perm("digests.view_issue"):
        counted = growth.current(now=now)
        today |= {
            "issues_waiting": to_approve(user),
            "coming": coming(user=user, now=now, counted=counted),
            "under_way": under_way(user),
            "last_issues": last_issues(user=user, zone=timezone.get_current_timezone_name(), now=now),
            "growth": counted,
        }
    if user.has_perm(replies.VIEW):
        today["replies"] = replies.seen(user=user).filter(state=Reply.State.NEW)[:WAITING_REPLIES]
    today["faults"] = faults.of(user=user, publication=house, now=now)
    return context | today


def stories_of(user: User) -> QuerySet[Article]:
    """This person's own stories that are not published: drafts, and those in review."""
    waiting = review.waiting_for(user).values("pk")
    unpublished = Article.objects.filter(state__in=(Article.State.DRAFT, Article.State.IN_REVIEW))
    own = unpublished.filter(pk__in=Article.objects.filter(permissions.own(user)).values("pk"))
    return _shown(own.exclude(pk__in=waiting))


def _shown(stories: ArticleQuerySet) -> ArticleQuerySet:
    return stories.without_text().select_related("section").order_by("-updated_at")[:WAITING_STORIES]


def coming(*, user: User, now: datetime, counted: growth.Growth, newsletter: int | None = None) -> list[Coming]:
    """Drafts and scheduled issues first, then the next run of each digest; soonest first. Of one newsletter, or all."""
    of_it = Q(newsletter=newsletter) if newsletter else Q()
    waiting = Issue.objects.filter(of_it, state__in=(State.DRAFT, State.SCHEDULED))
    issues = _theirs(waiting.select_related("newsletter"), user)
    drafts = issues.annotate(stories=Count("items", filter=Q(items__included=True))).order_by("-pk")[:20]
    rows = [_of_issue(issue, counted, now) for issue in drafts]
    offers = CadenceOffer.objects.filter(of_it, is_active=True, cadence__in=cadences.DIGESTS, newsletter__is_open=True)
    offers = offers.select_related("newsletter").prefetch_related("newsletter__sections")
    rows += [_of_offer(offer, counted, now) for offer in _theirs(offers, user)]
    return sorted(rows, key=lambda row: (not row.needs_a_person, row.at or now))


def _theirs(rows: QuerySet[Row], user: User) -> QuerySet[Row]:
    """The rows of this person's newsletters."""
    return limits.of_newsletters(rows, user=user, field="newsletter")


def _of_issue(issue: Issue, counted: growth.Growth, now: datetime) -> Coming:
    is_draft = issue.state == State.DRAFT
    at = issue.scheduled_for
    return Coming(
        newsletter_id=issue.newsletter_id,
        newsletter=issue.newsletter.name,
        cadence=_cadence(issue.cadence) or str(issue.get_kind_display()),
        at=at,
        when=hours.when(at, zone=issue.newsletter.time_zone, now=now) if at else _("when it is approved"),
        stories=issue.stories,  # type: ignore[attr-defined]  # annotated
        readers=counted.of(issue.newsletter_id, issue.cadence),
        state=_("Approves itself") if is_draft and issue.approves_itself else str(issue.get_state_display()),
        link=reverse("admin:digests_issue_change", args=[issue.pk]),
        is_issue=True,
        needs_a_person=is_draft and not issue.approves_itself,
    )


def _of_offer(offer: CadenceOffer, counted: growth.Growth, now: datetime) -> Coming:
    newsletter = offer.newsletter
    run = next(iter(schedules.upcoming(offer=offer, now=now, number=1)))
    last = Issue.objects.filter(newsletter=newsletter, kind=Issue.Kind.DIGEST, cadence=offer.cadence)
    start = last.exclude(state=State.CANCELLED, planned_at=None).aggregate(end=Max("window_end"))["end"]
    start = start or offer.active_since
    return Coming(
        newsletter_id=newsletter.pk,
        newsletter=newsletter.name,
        cadence=_cadence(offer.cadence),
        at=run,
        when=hours.when(run, zone=newsletter.time_zone, now=now),
        stories=series.stories_of(newsletter=newsletter, start=start, end=now).news().count(),
        readers=counted.of(newsletter.pk, offer.cadence),
        state=_("Leaves by itself") if newsletter.auto_approve else _("Becomes a draft"),
        link=reverse("desk:newsletter", args=[newsletter.pk]),
    )


def _cadence(cadence: str) -> str:
    return str(dict(CadenceOffer._meta.get_field("cadence").flatchoices).get(cadence, ""))  # noqa: SLF001  # Django documents _meta as public


def to_approve(user: User) -> list[Line]:
    """Drafts that somebody asked this person to approve."""
    asked = second_person.issues_waiting_for(user).select_related("asked_by")
    sentence = _("%(name)s asks for your approval.")
    return [lines.to_approve(issue, note=sentence % {"name": names.of(issue.asked_by)}) for issue in asked]


def under_way(user: User) -> list[Line]:
    """What is being sent at this moment."""
    issues = _theirs(Issue.objects.filter(state__in=UNDER_WAY).select_related("newsletter", "snapshot"), user)
    return [lines.of_issue(issue, note=", ".join([issue.newsletter.name, *_copies(issue)])) for issue in issues]


def _copies(issue: Issue) -> list[str]:
    count = issue.audience_count or 0
    return [ngettext("%(count)s copy", "%(count)s copies", count) % {"count": intcomma(count)}] if count else []


def last_issues(*, user: User, zone: str, now: datetime) -> list[Line]:
    """The issues that ended last, with their outcome."""
    ended = _theirs(Issue.objects.filter(audience_count__isnull=False, finished_at__lte=now), user)
    issues = list(
        ended.filter(finished_at__gt=now - timedelta(days=366))
        .select_related("newsletter", "snapshot")
        .order_by("-pk")[:LAST_ISSUES]
    )
    outcomes = IssueOutcome.objects.filter(issue__in=issues, state=DeliveryState.ACCEPTED)
    accepted = dict(outcomes.values_list("issue").annotate(copies=Sum("copies")))

    def note(issue: Issue) -> str:
        when = hours.when(issue.finished_at or now, zone=zone, now=now)
        facts = {"accepted": intcomma(accepted.get(issue.pk, 0)), "total": intcomma(issue.audience_count or 0)}
        return f"{issue.newsletter.name}, {when}. {_('%(accepted)s of %(total)s accepted.') % facts}"

    return [lines.of_issue(issue, note=note(issue)) for issue in issues]
