"""When readers of a newsletter were won and lost, by the consent record: each yes after a no, each no after a yes."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from django.db import connection

from subscribers.models import Newsletter

# The acts about this newsletter (or about the whole person) of everybody who acted within the span, each with the yes
# or no that held before it. `asked_on` is the page of the request that a confirmation answers: the last one before it,
# found in one pass over each reader's acts.
ACTS = """\
WITH people AS (
    SELECT DISTINCT subscriber_uuid FROM subscribers_consentevent
    WHERE newsletter_slug = ANY(%(slugs)s) AND occurred_at >= %(since)s AND occurred_at < %(until)s
    UNION
    SELECT erased.subscriber_uuid FROM subscribers_consentevent AS erased
    WHERE erased.kind = 'erased' AND erased.newsletter_slug = ''
        AND erased.occurred_at >= %(since)s AND erased.occurred_at < %(until)s
),
acts AS (
    SELECT id, subscriber_uuid, kind, source, basis, occurred_at,
        kind = 'confirmed' OR (kind = 'imported' AND basis > '') AS yes,
        max(id) FILTER (WHERE kind = 'requested') OVER (PARTITION BY subscriber_uuid ORDER BY id) AS request_id
    FROM subscribers_consentevent
    WHERE subscriber_uuid IN (SELECT subscriber_uuid FROM people) AND occurred_at < %(until)s
        AND (newsletter_slug = ANY(%(slugs)s) OR (newsletter_slug = '' AND kind = 'erased'))
),
turns AS (
    SELECT *, COALESCE(lag(yes) OVER (PARTITION BY subscriber_uuid ORDER BY id), false) AS before
    FROM acts WHERE kind IN ('confirmed', 'withdrawn', 'erased') OR (kind = 'imported' AND basis > '')
)
SELECT turns.kind, turns.source, turns.basis, COALESCE(request.form_url, ''),
    (turns.occurred_at AT TIME ZONE %(zone)s)::date, turns.yes, count(*)
FROM turns LEFT JOIN subscribers_consentevent AS request ON request.id = turns.request_id
WHERE turns.yes <> turns.before AND turns.occurred_at >= %(since)s GROUP BY 1, 2, 3, 4, 5, 6
"""


class Turn(NamedTuple):
    """What this many readers did on one day, in the newsletter's time zone: they said yes (`is_yes`), or no.

    `kind`, `source` and `basis` are those of their consent events; `asked_on` is the address of the page on which the
    request was made that they confirmed, or empty.
    """

    kind: str
    source: str
    basis: str
    asked_on: str
    day: date
    is_yes: bool
    readers: int


def within(*, newsletter: Newsletter, since: datetime, until: datetime) -> list[Turn]:
    """The turns about the newsletter from `since` to before `until`."""
    slugs = [newsletter.slug, *newsletter.former_slugs]
    with connection.cursor() as cursor:
        cursor.execute(ACTS, {"slugs": slugs, "since": since, "until": until, "zone": newsletter.time_zone})
        return [Turn(*row) for row in cursor.fetchall()]
