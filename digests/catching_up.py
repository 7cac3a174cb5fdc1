"""Readers who are out of step: what each should have of an issue, and has not had.

A digest holds what was published since the one before it, so it fits those who had that one. It does not fit who
changed how the newsletter comes, was away (paused, or left and came back), chose weekdays, or missed a copy. For them
it is asked, copy by copy, what this newsletter has brought them:

    should have = the stories of the issue, and those of earlier issues of its cadence that came out after the
                  last digest that the reader had, but not while the reader was away
    gets        = what the reader should have, less every story that a copy of this newsletter brought

Who gets exactly the stories of the issue gets the issue. The others get an issue in its place (`Issue.instead_of`), one
for all who lack the same stories. Once that is planned the reader is in step again; a reader of some weekdays never is.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from django.db.models import Min, Q
from django.db.models.functions import Now
from psycopg.types.range import Range

from articles.models import Article
from articles.states import PUBLIC
from digests import delivery_reasons, freezing, local_hours
from digests.delivery_reasons import DeliveryReason
from digests.local_hours import Place
from digests.models import Delivery, Issue, IssueItem
from subscribers import cadences
from subscribers.models import Subscriber, Subscription

log = logging.getLogger(__name__)

State, Copy = Issue.State, Delivery.State
OPEN: Final = (State.SENDING, State.PAUSED)

# How far back it is looked for what a reader has had: two of the longest periods before the reader fell out of step.
LOOK_BACK: Final = 2 * cadences.LONGEST_MONTH
# The most issues in place of one, for the largest groups. The others catch up with the next issue.
MOST: Final = 50

STANDINGS: Final = """
WITH reader AS MATERIALIZED ({readers}),
had AS (
    SELECT subscriber_id, array_agg(issue_id ORDER BY issue_id) AS issues
    FROM digests_delivery
    WHERE subscriber_id IN (SELECT subscriber_id FROM reader) AND issue_id = ANY(%s)
        AND (state <> 'suppressed' OR reason = 'no_story_chosen')
    GROUP BY subscriber_id
),
standing AS (
    SELECT reader.*, COALESCE(had.issues, '{{}}') AS issues,
        CASE WHEN had.issues && %s::bigint[] THEN NULL
            -- Who left and came back before a digest came was confirmed once more.
            WHEN reader.unsubscribed_at IS NULL THEN reader.confirmed_at
            ELSE (SELECT created_at FROM subscribers_subscriber WHERE id = reader.subscriber_id)
        END AS began_at
    FROM reader LEFT JOIN had ON had.subscriber_id = reader.subscriber_id
)
SELECT issues, began_at, array_append(earlier_absences, tstzrange(away_from, away_until, '(]')), days,
    subscriber.time_zone, subscriber.mail_hour, subscriber.quiet_from, subscriber.quiet_until,
    out_of_step_since IS NOT NULL, array_agg(subscriber.id)
FROM standing JOIN subscribers_subscriber AS subscriber ON subscriber.id = standing.subscriber_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""
COLUMNS: Final = (
    "subscriber_id",
    "confirmed_at",
    "unsubscribed_at",
    "away_from",
    "away_until",
    "earlier_absences",
    "days",
    "out_of_step_since",
)


class Standing(NamedTuple):
    """What some readers have had: the issues; when they began, if no digest was among those; when they were away."""

    issues: tuple[int, ...]
    began_at: datetime | None
    absences: tuple[Range[datetime], ...]
    days: str
    place: Place
    is_out_of_step: bool

    def was_away(self, moment: datetime) -> bool:
        """Whether the readers wanted no mail then."""
        return any(moment in away for away in self.absences if away.lower and away.upper)


@dataclass(frozen=True, slots=True)
class Group:
    """Readers who lack the same stories of an issue, by their ids; those of `in_step` lack nothing else after it."""

    readers: list[int]
    in_step: list[int]


def groups(*, issue: Issue, now: datetime) -> dict[frozenset[int], Group]:
    """The stories that readers should have of the issue, or of the one that it replaces, and who they are.

    In a transaction, if the answer is to be true until it is acted on: readers who are out of step are locked, as all
    that changes how a newsletter comes locks them first. Copies that are to leave at a cadence of theirs no more are
    held back here, so that none leaves after what is in it was given otherwise.
    """
    by_stories: dict[frozenset[int], Group] = defaultdict(lambda: Group([], []))
    main = issue.instead_of or issue
    if not issue.by_themselves(now=now).exists():
        return by_stories
    _hold(issue, now)
    history = _History(main, now)
    for standing, readers in _standings(main, history, now):
        if standing.days and not _is_a_day(main, standing, now):
            continue
        group = by_stories[history.lacking(standing)]
        group.readers.extend(readers)
        if standing.is_out_of_step and history.is_in_step_after(standing):
            group.in_step.extend(readers)
    return by_stories


def group(*, issue: Issue, now: datetime) -> Group:
    """The readers who are out of step and lack exactly the stories of this issue; as `groups`.

    Those who lack nothing get no copy of it, and are in step all the same.
    """
    lacking = groups(issue=issue, now=now)
    exactly = lacking.get(stories(issue=issue)) if lacking else None
    nothing = lacking.get(frozenset()) if lacking and issue.instead_of_id is None else None
    readers = exactly.readers if exactly else []
    return Group(readers, [*(exactly.in_step if exactly else []), *(nothing.in_step if nothing else [])])


def stories(*, issue: Issue) -> frozenset[int]:
    """The stories that copies of the issue bring."""
    return frozenset(IssueItem.objects.filter(issue=issue).public().values_list("article", flat=True))


def settle(*, issue: Issue, readers: Iterable[int]) -> None:
    """Note that these readers are in step with the issues of the cadence, in the transaction of the plan."""
    caught_up = list(readers)
    if not caught_up:
        return
    rows = Subscription.objects.filter(newsletter=issue.newsletter_id, cadence=issue.cadence)
    # A story that came at once is no digest: what the next one makes up for begins before the times away.
    absences = (
        {} if issue.kind == Issue.Kind.ARTICLE else dict.fromkeys(("away_from", "away_until", "earlier_absences"))
    )
    rows.filter(subscriber__in=caught_up).update(**dict.fromkeys(("out_of_step_since", *absences)))


def compose(*, issue: Issue, now: datetime) -> list[int]:
    """Make the issues that some readers get in place of this one, approved as it is; return their ids.

    Called once it is planned. What is not made here, because the process dies or there are too many, is made up for by
    the next issue: a reader stays out of step until a copy was planned.
    """
    if issue.instead_of_id is not None or not issue.by_themselves(now=now).exists():
        return []
    with transaction.atomic():
        lacking = groups(issue=issue, now=now)
    own = stories(issue=issue) if lacking else frozenset()
    wanted = [(ids, group) for ids, group in lacking.items() if ids and ids != own]
    wanted.sort(key=lambda pair: -len(pair[1].readers))
    new = [_made(issue, ids, group.readers, number, now) for number, (ids, group) in enumerate(wanted[:MOST], start=1)]
    return [one.pk for one in new if one is not None]


def _hold(issue: Issue, now: datetime) -> None:
    out = issue.by_themselves(now=now).filter(out_of_step_since__isnull=False)
    ids = list(out.values_list("subscriber_id", flat=True))
    if not ids:
        return
    list(Subscriber.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    others = Issue.objects.filter(newsletter=issue.newsletter_id).exclude(cadence__in=["", issue.cadence])
    waiting = Delivery.objects.under_way().filter(subscriber__in=ids, issue__in=others.filter(state__in=OPEN))
    waiting.filter(state__in=[Copy.PENDING, Copy.DEFERRED, Copy.CLAIMED]).update(
        state=Copy.SUPPRESSED, settled_at=Now(), lease_until=None, due_at=None,
        **delivery_reasons.columns(DeliveryReason.CADENCE_CHANGED),
    )  # fmt: skip


def _standings(main: Issue, history: _History, now: datetime) -> list[tuple[Standing, list[int]]]:
    readers, parameters = main.by_themselves(now=now).order_by().values(*COLUMNS).query.sql_with_params()
    with connection.cursor() as cursor:
        # The subquery is the ORM's own SQL; every value in it is a parameter.
        cursor.execute(STANDINGS.format(readers=readers), [*parameters, history.ids, history.digest_ids])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [
        (Standing(tuple(issues), began, tuple(absences), days, Place(*place), is_out), readers)
        for issues, began, absences, days, *place, is_out, readers in rows
    ]


def _is_a_day(main: Issue, standing: Standing, now: datetime) -> bool:
    """Whether the copy would leave on one of the weekdays that the readers chose, where they are."""
    moment = local_hours.leaves_at(issue=main, place=standing.place, now=now)
    zone = local_hours.zone_of(issue=main, place=standing.place)
    return str(moment.astimezone(zone).weekday()) in standing.days


class _History:
    """The issues of a newsletter that were planned before one, and their stories."""

    def __init__(self, main: Issue, now: datetime) -> None:
        self.main = main
        self.end = main.window_end or now
        since = main.by_themselves(now=now).aggregate(since=Min("out_of_step_since"))["since"]
        self.begin = min(since or now, self.end) - LOOK_BACK
        planned = Issue.objects.filter(
            newsletter=main.newsletter_id, planned_at__isnull=False, window_end__gt=self.begin
        ).exclude(pk=main.pk)
        self.issues = {
            one.pk: one for one in planned.exclude(cadence="").only("kind", "cadence", "window_end", "instead_of")
        }

    @cached_property
    def ids(self) -> list[int]:
        return [*self.issues, self.main.pk]

    @cached_property
    def digest_ids(self) -> list[int]:
        return [pk for pk, one in self.issues.items() if one.cadence in cadences.DIGESTS]

    @cached_property
    def items(self) -> Mapping[int, set[int]]:
        items: dict[int, set[int]] = defaultdict(set)
        for issue, article in IssueItem.objects.filter(issue__in=self.ids, included=True).values_list(
            "issue", "article"
        ):
            items[issue].add(article)
        return items

    @cached_property
    def own(self) -> frozenset[int]:
        return stories(issue=self.main)

    @cached_property
    def earlier(self) -> dict[int, datetime]:
        """The public stories of earlier issues of the same cadence, and when they came out.

        Of a story from before the history it is not known who had it: what brought it may be older.
        """
        series = [
            pk for pk, one in self.issues.items()
            if (one.kind, one.cadence, one.instead_of_id) == (self.main.kind, self.main.cadence, None)
            and one.window_end is not None and one.window_end <= self.end
        ]  # fmt: skip
        brought = set().union(*(self.items[pk] for pk in series)) - self.own
        public = Article.objects.filter(pk__in=brought, state__in=PUBLIC, first_published_at__gt=self.begin)
        return {pk: came_out for pk, came_out in public.values_list("pk", "first_published_at") if came_out}

    @cached_property
    def has_waiting(self) -> bool:
        """Whether an earlier issue of the cadence is still to be approved: it may bring what readers have had."""
        waiting = Issue.objects.filter(
            newsletter=self.main.newsletter_id, kind=self.main.kind, cadence=self.main.cadence, planned_at__isnull=True
        ).filter(window_end__lt=self.end, instead_of__isnull=True)
        return waiting.exclude(state=State.CANCELLED).exclude(pk=self.main.pk).exists()

    def lacking(self, standing: Standing) -> frozenset[int]:
        since = self._last(standing) or standing.began_at
        should = set(self.own)
        should.update(
            story for story, came_out in self.earlier.items()
            if (since is None or came_out > since) and not standing.was_away(came_out)
        )  # fmt: skip
        return frozenset(should.difference(*(self.items[issue] for issue in standing.issues)))

    def is_in_step_after(self, standing: Standing) -> bool:
        """Whether those who get this issue have had all before it, and nothing of those after it."""
        last = self._last(standing)
        return not self.has_waiting and (last is None or last <= self.end)

    def _last(self, standing: Standing) -> datetime | None:
        """The end of the last digest that they had."""
        digests = (self.issues[pk] for pk in standing.issues if pk in self.issues)
        return max(
            (one.window_end for one in digests if one.cadence in cadences.DIGESTS and one.window_end), default=None
        )


def _made(main: Issue, wanted: frozenset[int], readers: list[int], number: int, now: datetime) -> Issue | None:
    """An issue of these stories that leaves as the main one, frozen; None if it cannot be, or is there already."""
    issue = Issue(
        newsletter=main.newsletter, kind=Issue.Kind.DIGEST, cadence=main.cadence,
        period_key=f"instead-{main.pk}-{number}", instead_of=main, number=main.number,
        window_start=main.window_start, window_end=main.window_end, preheader="", introduction=main.introduction,
        sponsor=main.sponsor, translations=main.translations, scheduled_for=main.scheduled_for,
        approved_by_id=main.approved_by_id, approved_at=now, created_at=now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            if Issue.objects.filter(newsletter=main.newsletter_id, period_key=issue.period_key).exists():
                return None
            issue.save(force_insert=True)
            IssueItem.objects.bulk_create(_items(issue, main, wanted))
            freezing.freeze(issue=issue, now=now, among=readers)
            Issue.objects.filter(pk=issue.pk).update(state=State.SCHEDULED)
    except freezing.NotFrozen as refusal:
        log.warning("no issue was made in place of issue %s: %s", main.pk, refusal)
        return None
    return issue


def _items(issue: Issue, main: Issue, wanted: frozenset[int]) -> list[IssueItem]:
    """The stories in the order of the main issue, with its words; then those of earlier issues, the newest first."""
    earlier = Q(issue__newsletter=main.newsletter_id, issue__cadence=main.cadence, issue__instead_of__isnull=True)
    rows = IssueItem.objects.filter(earlier, article__in=wanted, included=True).order_by("issue__window_end", "pk")
    words = {row.article_id: row for row in rows}
    own = list(IssueItem.objects.filter(issue=main, article__in=wanted).order_by("position", "pk"))
    late = Article.objects.filter(pk__in=wanted.difference(row.article_id for row in own))
    order = late.order_by("-first_published_at", "-pk").values_list("pk", flat=True)
    return [
        IssueItem(
            issue=issue, article_id=row.article_id, position=position, headline=row.headline, summary=row.summary,
            translations=row.translations,
        )
        for position, row in enumerate([*own, *(words[story] for story in order)])
    ]  # fmt: skip
