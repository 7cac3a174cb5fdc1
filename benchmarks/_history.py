"""A year of issues that ended: their copies are written in SQL into the partitions of their months."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from benchmarks import _audience
from digests.models import Issue, IssueOutcome
from digests.sending import audience, history
from newsroom import owner
from subscribers.models import Newsletter

MONTHS = 12

# As an issue leaves: nearly everybody got it from a Postfix, which gave the copy a queue id.
FILL = """
INSERT INTO {partition} (uuid, issue_id, subscriber_id, month, state, reason, reason_parameters, attempts, disturbances,
    render_failures, fence, attempted_at, settled_at, remote_id)
SELECT {uuid}(), %(issue)s, id, %(month)s, state,
    CASE state WHEN 'rejected' THEN 'mailbox_gone' WHEN 'suppressed' THEN 'unsubscribed' ELSE '' END,
    CASE state WHEN 'rejected' THEN '{{"said": "550 5.1.1 No such user"}}'::jsonb END,
    1, 0, 0, 0, %(began)s + id * interval '1 millisecond', %(began)s + id * interval '1 millisecond',
    CASE state WHEN 'accepted' THEN '4Z' || left(md5(random()::text), 13) ELSE '' END
FROM (
    SELECT id, CASE WHEN id %% 100 = %(issue)s %% 100 THEN 'rejected' WHEN id %% 100 = 1 THEN 'suppressed'
        ELSE 'accepted' END AS state
    FROM subscribers_subscriber ORDER BY id
) AS reader
"""
# Those of months that are over: the send journal remembers copies of this month, and would miss them.
PARTITIONS = """
SELECT inhrelid::regclass::text, pg_get_expr(relpartbound, inhrelid) FROM pg_inherits JOIN pg_class ON oid = inhrelid
WHERE inhparent = 'digests_delivery'::regclass AND relname ~ '[0-9]{4}_[0-9]{2}$'
    AND right(relname, 7) < to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') ORDER BY 1
"""
LEFTOVERS = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND NOT relispartition AND relname ~ '^digests_delivery_[0-9]{4}_[0-9]{2}$'
"""
FOREIGN_KEYS = "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'"


def fill(*, newsletter: Newsletter, rows: int, readers: int) -> int:
    """Issues of the last MONTHS months with that many copies in all; returns how many copies there are."""
    issues = max(rows // readers, MONTHS)
    this_month = timezone.now().replace(day=1)
    starts = [_month_before(this_month, 1 + number * MONTHS // issues) for number in range(issues)]
    _drop_leftovers()
    with connection.cursor() as cursor:
        for began in set(starts):
            cursor.execute("SELECT digests_add_month(%s)", [began.date().replace(day=1)])
    with out_of_the_way(), owner.rights(), connection.cursor() as cursor:
        _drop_foreign_keys([f"digests_delivery_{began:%Y_%m}" for began in set(starts)])
        for began in sorted(starts):
            _ended_issue(newsletter, began, readers)
    with owner.rights(), connection.cursor() as cursor:
        for name, _ in partitions():
            cursor.execute(f"VACUUM (FREEZE, ANALYZE) {name}")
    return issues * readers


def _drop_leftovers() -> None:
    """Partitions that a run left detached when it was killed."""
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(LEFTOVERS)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {name}")


def _drop_foreign_keys(names: list[str]) -> None:
    """Attaching makes them again, and looks at all rows at once."""
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(FOREIGN_KEYS, [name])
            for (key,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {key}")


def bytes_per_copy(copies: int) -> float:
    """What the partitions of past months take for each of their copies, with their indexes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name", [names()])
        return float(cursor.fetchone()[0]) / copies


def names() -> list[str]:
    return [name for name, _ in partitions()]


def partitions() -> list[tuple[str, str]]:
    """The partitions of past months: their names and bounds."""
    with connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        return list(cursor.fetchall())


@contextlib.contextmanager
def out_of_the_way() -> Iterator[None]:
    """Inside, the table is as on the first day: the partitions of past months are detached."""
    attached = partitions()
    with owner.rights(), connection.cursor() as cursor:
        for name, _ in attached:
            cursor.execute(f"ALTER TABLE digests_delivery DETACH PARTITION {name}")
    try:
        yield
    finally:
        with owner.rights(), connection.cursor() as cursor:
            for name, bound in attached:
                cursor.execute(f"ALTER TABLE digests_delivery ATTACH PARTITION {name} {bound}")


def move(*, issue: Issue) -> None:
    """Do now what the clock does an hour after the issue's end."""
    history.maintain(now=timezone.now() + history.MOVE_AFTER, seconds=3_600)
    issue.refresh_from_db()
    if issue.deliveries_month is None:
        raise RuntimeError(f"the copies of issue {issue.pk} were not moved")
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) digests_delivery_open")


def _month_before(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    return datetime(year, month + 1, 3, 9, tzinfo=UTC)


def _ended_issue(newsletter: Newsletter, began: datetime, readers: int) -> None:
    month = began.date().replace(day=1)
    issue = _audience.approved_issue(newsletter)
    with connection.cursor() as cursor:
        cursor.execute(audience.MAKE_UUID)
        statement = FILL.format(partition=f"digests_delivery_{month:%Y_%m}", uuid=cursor.fetchone()[0])
        cursor.execute(statement, {"issue": issue.pk, "month": month, "began": began})
        cursor.execute("SELECT last_value FROM digests_delivery_id_seq")
        last_id = cursor.fetchone()[0]
    Issue.objects.filter(pk=issue.pk).update(
        state=Issue.State.SENT,
        audience_count=readers,
        planned_at=began,
        started_at=began,
        finished_at=began + timedelta(minutes=10),
        copies_after=last_id - readers,
        copies_until=last_id,
        deliveries_month=month,
    )
    IssueOutcome.objects.create(issue=issue, state="accepted", reason="", copies=readers)
