"""Who gets an issue, and when: everybody mailable, written by one INSERT ... SELECT."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from digests import amendments, catching_up, local_hours
from digests.delivery_reasons import DeliveryReason
from digests.local_hours import Place
from digests.models import Issue
from digests.readership import Group, Rule
from digests.variant_keys import WITHOUT
from subscribers.models import SubscriptionQuerySet

# What `plan` changes of an issue.
PLANNED_FIELDS = ("audience_count", "copies_after", "copies_until")

# The readers are locked as the foreign key locks them: an erasure waits for the plan, and one that came first has
# taken its reader out. Acts of readers change no key of theirs (`select_for_update(no_key=True)`) and do not wait.
PLAN = """
WITH chosen AS MATERIALIZED ({mailable}),
{served},
written AS (
    INSERT INTO digests_delivery_open
        (uuid, issue_id, subscriber_id, state, reason, settled_at, attempts, disturbances, render_failures, fence,
        remote_id, variant)
    SELECT {uuid}(), %s, id,
        CASE WHEN variant = '{without}' THEN 'suppressed' ELSE 'pending' END,
        CASE WHEN variant = '{without}' THEN '{reason}' ELSE '' END,
        CASE WHEN variant = '{without}' THEN now() END,
        0, 0, 0, 0, '', variant
    FROM served
    RETURNING id
)
SELECT count(*), COALESCE(min(id) - 1, 0), COALESCE(max(id), 0) FROM written
"""
# Where all readers get the issue's own text.
ALIKE = """
served AS (
    SELECT id, NULL::varchar AS variant FROM subscribers_subscriber WHERE id IN (SELECT subscriber_id FROM chosen)
    ORDER BY id FOR KEY SHARE
)
"""
# A group that came to be since the groups were read gets that, too. The readers are joined with `chosen` as a table of
# which the planner knows the size: of two results that it knows nothing of, it would compare each row with all others.
BY_GROUP = """
readers AS (
    SELECT reader.id, reader.language, COALESCE(chosen.topics_id, 0) AS choice, chosen.format,
        COALESCE(informed.amended, 0) AS amended
    FROM subscribers_subscriber AS reader JOIN chosen ON chosen.subscriber_id = reader.id
        LEFT JOIN unnest(%s::bigint[], %s::int[]) AS informed (id, amended) ON informed.id = reader.id
    ORDER BY reader.id FOR KEY SHARE OF reader
),
served AS (
    SELECT readers.id, NULLIF(text.key, '') AS variant
    FROM readers LEFT JOIN unnest(%s::varchar[], %s::bigint[], %s::varchar[], %s::int[], %s::varchar[])
        AS text (language, choice, format, amended, key)
    USING (language, choice, format, amended)
    ORDER BY readers.id
)
"""

# The hour is that of everybody with the same zone and hours.
PUT_OFF = """
UPDATE digests_delivery_open AS delivery
SET state = 'deferred', reason = %s, due_at = place.leaves_at
FROM subscribers_subscriber AS reader JOIN
    unnest(%s::text[], %s::int[], %s::int[], %s::int[], %s::timestamptz[])
    AS place (time_zone, mail_hour, quiet_from, quiet_until, leaves_at)
ON place.time_zone = reader.time_zone AND place.mail_hour = COALESCE(reader.mail_hour, -1)
    AND place.quiet_from = COALESCE(reader.quiet_from, -1) AND place.quiet_until = COALESCE(reader.quiet_until, -1)
WHERE reader.id = delivery.subscriber_id AND delivery.issue_id = %s AND delivery.id > %s AND delivery.id <= %s
    AND delivery.state = 'pending'
"""

# Values that follow each other go to the same page of their index, random ones each to another; the
# former are made by PostgreSQL 18 and later.
MAKE_UUID = "SELECT CASE WHEN to_regprocedure('uuidv7()') IS NULL THEN 'gen_random_uuid' ELSE 'uuidv7' END"


def plan(*, issue: Issue, now: datetime) -> None:
    """Write a delivery for each reader: pending, of the text that the issue has for this reader's language and choices.

    A reader whose topics select no story of it has a delivery too, which says so and never leaves. A copy that leaves
    at an hour of its reader's waits for that, deferred. Readers who are out of step are among them if exactly the
    stories of this issue are what they lack, and are in step then. `issue` says
    afterwards how many deliveries there are, and between which ids. These are PLANNED_FIELDS, and are the caller's to
    save, in the transaction in which this runs.
    """
    rule = Rule.of(snapshot=issue.snapshot)
    if rule.amended:
        amendments.lock()
    group = catching_up.group(issue=issue, now=now)
    with connection.cursor() as cursor:
        cursor.execute(*_statement(issue, rule, _readers(issue, group.readers, now), now))
        issue.audience_count, issue.copies_after, issue.copies_until = cursor.fetchone()
        if turns := local_hours.turns(issue=issue, now=now):
            cursor.execute(PUT_OFF, _put_off(issue, turns))
        # Without figures of the new rows the planner thinks that they are few, and walks over all of them
        # for each claim: 16 ms for 100 of 20,000 copies against 1.
        cursor.execute("SELECT digests_analyze_copies()")
    catching_up.settle(issue=issue, readers=group.in_step)


def _readers(issue: Issue, lacking: list[int], now: datetime) -> SubscriptionQuerySet:
    """Those who are in step, if this is the issue for all; and those who lack what is in it."""
    if issue.instead_of_id is not None:
        return issue.readers(now=now).filter(subscriber__in=lacking)
    in_step = issue.in_step(now=now)
    return in_step | issue.readers(now=now).filter(subscriber__in=lacking) if lacking else in_step


def _put_off(issue: Issue, turns: list[tuple[Place, datetime]]) -> list[Any]:
    places = [[place.time_zone, *(-1 if hour is None else hour for hour in place[1:])] for place, _moment in turns]
    columns = [list(column) for column in zip(*places, strict=True)]
    return [
        DeliveryReason.READERS_HOUR.value,
        *columns,
        [moment for _place, moment in turns],
        issue.pk,
        issue.copies_after,
        issue.copies_until,
    ]


def _statement(issue: Issue, rule: Rule, readers: SubscriptionQuerySet, now: datetime) -> tuple[str, list[Any]]:
    informed = rule.informed(issue=issue, now=now)
    groups = _groups(rule, readers, informed)
    columns = ("subscriber_id", "topics_id", "format") if groups else ("subscriber_id",)
    mailable, parameters = readers.order_by().values(*columns).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(MAKE_UUID)
        uuid = cursor.fetchone()[0]
    # The subquery is the ORM's own SQL; every value in it is a parameter.
    plan = PLAN.format(
        uuid=uuid,
        mailable=mailable,
        served=BY_GROUP if groups else ALIKE,
        without=WITHOUT,
        reason=DeliveryReason.NO_STORY_CHOSEN.value,
    )
    if not groups:
        return plan, [*parameters, issue.pk]
    numbered = [(reader, number) for number, some in informed.items() for reader in some]
    by_group = [list(column) for column in zip(*groups, strict=True)]
    to_inform = [[reader for reader, _ in numbered], [number for _, number in numbered]]
    return plan, [*parameters, *to_inform, *by_group, list(groups.values()), issue.pk]


def _groups(rule: Rule, readers: SubscriptionQuerySet, informed: Iterable[int]) -> dict[Group, str]:
    """The readers by language, choices and what they are to hear, with what each group gets.

    None where the issue has one text for all.
    """
    if not (rule.keys or rule.without):
        return {}
    rows = readers.order_by().values_list("subscriber__language", "topics", "format").distinct()
    return rule.keys_of(
        Group(language, choice or 0, format_, number) for language, choice, format_ in rows for number in (0, *informed)
    )
