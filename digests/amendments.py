"""Amendments: what readers hear of a story that they got, and that was corrected or withdrawn since.

The next issue of each reader who got the story has a line about it, once. Nobody hears it from two newsletters,
nor do those who got the letter that corrected the issue. Readers who hear the same share a text.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import F, Value

from articles.models import Article, ArticleQuerySet, Correction
from articles.states import PUBLIC
from core import locks
from digests import states
from digests.models import Issue, IssueItem, Snapshot, Variant
from digests.states import DeliveryState
from publication import languages, urls
from subscribers import cadences

# Whose next issue comes later is not informed any more.
LOOK_BACK: Final = 2 * cadences.LONGEST_MONTH
# An editor may write the letter that corrects an issue before the note below the story.
LETTER_BEFORE: Final = timedelta(days=1)
# The newest, and so much of each: the page of corrections has them all.
MOST: Final = 10
LENGTH: Final = 300
LOCK: Final = "tell of amendments"
# Copies of which nothing came, or will.
WITHOUT_IT: Final = [
    state.value
    for state in (
        DeliveryState.SUPPRESSED, DeliveryState.CANCELLED, DeliveryState.REJECTED, DeliveryState.EXPIRED,
        DeliveryState.RENDER_FAILED,
    )
]  # fmt: skip

# `carrier`: the texts that brought an amended story; `word`: those that said so, a letter with each of its texts.
SETS: Final = """
WITH reader AS MATERIALIZED ({readers}),
got AS (
    SELECT DISTINCT copy.subscriber_id, carrier.amendment
    FROM unnest(%s::bigint[], %s::varchar[], %s::varchar[]) AS carrier (issue_id, variant, amendment)
        JOIN digests_delivery AS copy ON copy.issue_id = carrier.issue_id
            AND COALESCE(copy.variant, '') = carrier.variant
    WHERE copy.state = ANY(%s)
),
informed AS (
    SELECT copy.subscriber_id, word.amendment
    FROM unnest(%s::bigint[], %s::varchar[], %s::varchar[]) AS word (issue_id, variant, amendment)
        JOIN digests_delivery AS copy ON copy.issue_id = word.issue_id
            AND (word.variant = '*' OR COALESCE(copy.variant, '') = word.variant)
    WHERE copy.state <> ALL(%s)
),
lacking AS (
    SELECT subscriber_id, array_agg(amendment ORDER BY amendment) AS amendments
    FROM (SELECT subscriber_id, amendment FROM got EXCEPT SELECT subscriber_id, amendment FROM informed) AS open
        JOIN reader USING (subscriber_id)
    GROUP BY subscriber_id
)
SELECT amendments, array_agg(subscriber_id ORDER BY subscriber_id) FROM lacking GROUP BY amendments
ORDER BY count(*) DESC, amendments
"""

Keys = tuple[str, ...]


class Amendment(NamedTuple):
    """Of the text of a story. `key` names it in texts that tell of it: of a correction, or of a withdrawal."""

    key: str
    article: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """What a mail says. A withdrawn story has no headline: it may have been withdrawn to protect somebody."""

    headline: str
    text: str
    url: str
    language: str


def sets(*, issue: Issue, now: datetime, among: Collection[str] | None = None) -> dict[Keys, list[int]]:
    """What some readers of the issue are to hear, and the ids of those readers; the largest group first.

    `among`: only of these. Two plans that call `lock` first never inform a reader twice.
    """
    if issue.kind == Issue.Kind.LETTER:
        return {}
    open_ = [one for one in _recent(now) if among is None or one.key in among]
    carriers = list(_carriers(issue, open_)) if open_ else []
    if not carriers:
        return {}
    words = list(_words(issue, {one.key: one for one in open_}, carriers))
    readers, parameters = issue.readers(now=now).order_by().values("subscriber_id").query.sql_with_params()
    columns = [[list(column) for column in zip(*rows, strict=True)] if rows else [[], [], []]
               for rows in (carriers, words)]  # fmt: skip
    with connection.cursor() as cursor:
        # The subquery is the ORM's own SQL; every value in it is a parameter.
        values = [*parameters, *columns[0], list(states.MAY_HAVE_IT), *columns[1], WITHOUT_IT]
        cursor.execute(SETS.format(readers=readers), values)
        newest = {one.key: place for place, one in enumerate(open_)}
        groups: dict[Keys, list[int]] = defaultdict(list)
        for keys, ids in cursor.fetchall():
            groups[tuple(sorted(keys, key=newest.__getitem__)[:MOST])].extend(ids)
    return dict(groups)


def lock() -> None:
    """Until the transaction ends nobody else works out who is to hear what."""
    locks.wait_until_commit(LOCK)


def lines(*, keys: Sequence[str]) -> tuple[Line, ...]:
    """What a mail in the language that is written at this moment says of these; nothing of what has changed since."""
    corrections = Correction.objects.filter(pk__in=[int(key[1:]) for key in keys if key.startswith("c")])
    notes = {f"c{one.pk}": one for one in corrections.filter(article__state__in=PUBLIC).select_related("article")}
    taken_back = _withdrawn().without_text().filter(pk__in=_stories(keys), withdrawn_at__isnull=False)
    withdrawn = {_key(story.pk, story.withdrawn_at): story for story in taken_back if story.withdrawn_at}
    written = []
    for key in keys:
        if (note := notes.get(key)) is not None:
            written.append(_line(note.article.headline, note.text, note.article))
        elif (story := withdrawn.get(key)) is not None:
            written.append(_line("", story.withdrawal_reason, story))
    return tuple(written)


def _line(headline: str, text: str, story: Article) -> Line:
    short = textwrap.shorten(text, LENGTH, placeholder="…")
    return Line(headline, short, urls.absolute(languages.path_in(story.language, "corrections")), story.language)


def _stories(keys: Sequence[str]) -> list[int]:
    return [int(key[1:].partition("-")[0]) for key in keys if key.startswith("w")]


def _key(story: int, withdrawn_at: datetime) -> str:
    """A story that comes back and is withdrawn again has another one."""
    return f"w{story}-{int(withdrawn_at.timestamp())}"


def _withdrawn() -> ArticleQuerySet:
    return Article.objects.filter(state=Article.State.WITHDRAWN).exclude(withdrawal_reason="")


def _recent(now: datetime) -> list[Amendment]:
    """All amendments of the last two months, the newest first."""
    span = (now - LOOK_BACK, now)
    corrected = Correction.objects.filter(corrected_at__range=span, article__state__in=PUBLIC).order_by()
    withdrawn = _withdrawn().filter(withdrawn_at__range=span).order_by()
    rows = corrected.values_list("pk", "article", "corrected_at", Value(False)).union(  # a column
        withdrawn.values_list("pk", F("pk"), "withdrawn_at", Value(True)),
        all=True,  # a column
    )
    recent = [
        Amendment(_key(pk, at) if is_withdrawal else f"c{pk}", article, at) for pk, article, at, is_withdrawal in rows
    ]
    return sorted(recent, key=lambda one: (one.at, one.key), reverse=True)


def _carriers(issue: Issue, amendments: Sequence[Amendment]) -> Iterator[tuple[int, str, str]]:
    """Issue, text and amendment: the texts of this newsletter that showed an amended story as it was."""
    by_story: dict[int, list[Amendment]] = defaultdict(list)
    for one in amendments:
        by_story[one.article].append(one)
    snapshots = Snapshot.objects.filter(issue__newsletter=issue.newsletter_id, issue__planned_at__isnull=False)
    items = IssueItem.objects.filter(article__in=by_story, included=True, issue__newsletter=issue.newsletter_id)
    translated = Variant.objects.filter(snapshot__in=snapshots, stories__overlap=list(by_story))
    issues = {*items.values_list("issue", flat=True), *translated.values_list("snapshot__issue", flat=True)}
    stories: dict[int, set[int]] = defaultdict(set)
    for pk, article in items.values_list("issue", "article"):
        stories[pk].add(article)
    originals = dict(Article.objects.filter(pk__in=by_story).values_list("pk", "translation_of"))
    for snapshot in snapshots.filter(issue__in=issues).defer("html", "text", "headers", "compiled"):
        for key, shown, instead in _texts(snapshot):
            # Of a story and its translation, the reader hears of that which was in the mail.
            replaced = {originals.get(one) for one in instead}
            here = {one for one in stories[snapshot.issue_id] if shown is None or one in shown} - replaced
            for article in here | (instead & by_story.keys()):
                yield from (
                    (snapshot.issue_id, key, one.key) for one in by_story[article] if one.at > snapshot.frozen_at
                )


def _texts(snapshot: Snapshot) -> Iterator[tuple[str, frozenset[int] | None, set[int]]]:
    """The key of each text, the stories that it shows (None: all), and the translations in place of some."""
    yield "", None, set()
    for one in snapshot.variants.defer("html", "text", "headers", "compiled"):
        yield one.key, None if one.shown is None else frozenset(one.shown), set(one.stories)


def _words(
    issue: Issue, amendments: Mapping[str, Amendment], carriers: Sequence[tuple[int, str, str]]
) -> Iterator[tuple[int, str, str]]:
    """Issue, text and amendment: the texts of all newsletters that had it, and letters that corrected an issue."""
    since = min(one.at for one in amendments.values())
    telling = Variant.objects.filter(amended__gt=0, snapshot__frozen_at__gte=since).exclude(snapshot__issue=issue.pk)
    for one in telling.select_related("snapshot").only(
        "language", "topics", "reading", "amended", "snapshot__issue", "snapshot__audience_rule"
    ):
        keys = one.snapshot.audience_rule.get("amended", {}).get(str(one.amended), ())
        yield from ((one.snapshot.issue_id, one.key, key) for key in keys if key in amendments)
    brought: dict[int, set[str]] = defaultdict(set)
    for pk, _text, key in carriers:
        brought[pk].add(key)
    letters = Issue.objects.filter(
        corrects__isnull=False, planned_at__isnull=False, started_at__gte=since - LETTER_BEFORE
    )
    mains = dict(Issue.objects.filter(pk__in=brought).values_list("pk", "instead_of"))
    for letter, corrected, started in letters.values_list("pk", "corrects", "started_at"):
        for pk, keys in brought.items():
            if corrected in (pk, mains.get(pk)):
                late = (key for key in keys if started and started >= amendments[key].at - LETTER_BEFORE)
                yield from ((letter, "*", key) for key in late)
