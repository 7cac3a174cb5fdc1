"""How long do the desk's pages wait for the database? STORIES (100,000) stories, READERS (1,000,000) readers, an issue.

Each page is opened ROUNDS (5) times after one that is not counted, and its figure is the median of the time that all
of its statements took together; 300 ms are allowed. Beside it are the number of statements and the time of the whole
page. Three figures are of one look each: the monitor of an issue that is being sent before its copies were counted;
the count, for which the open page asks then; and "Today" when nothing is remembered of how the readership grew.
"""

from __future__ import annotations

import functools
import os
import statistics
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _audience, _figures, _statements

from django.contrib.auth.models import User  # isort: skip  # _audience sets Django up
from django.core.cache import cache  # isort: skip  # as above
from django.db import connection  # isort: skip  # as above
from django.test import Client  # isort: skip  # as above

from articles.models import Section  # isort: skip  # as above
from digests.models import Issue  # isort: skip  # as above
from newsroom import owner  # isort: skip  # as above

STORIES = int(os.environ.get("STORIES", "100000"))
READERS = int(os.environ.get("READERS", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
ALLOWED_MS = 300.0

# Without the triggers that fill the readers' search, which no page of the desk asks: they take most of an hour.
FILL = """
SET newsroom.allow_truncate = on;
TRUNCATE articles_article CASCADE;
SET session_replication_role = replica;
INSERT INTO articles_article
    (language, headline, slug, standfirst, body_markdown, body_html, body_text, body_sha256, section_id, state,
     published_at, first_published_at, withdrawal_reason, returned_reason, created_at, updated_at)
SELECT 'en', 'Story ' || n || ' of word' || n % 5000, 'story-' || n, 'What happened.', repeat('word ', 300),
    repeat('word ', 300), repeat('word ', 300), repeat('0', 64), {section},
    CASE WHEN n % 500 = 0 THEN 'draft' WHEN n % 501 = 0 THEN 'in_review' ELSE 'published' END,
    now() - n * interval '1 minute', now() - n * interval '1 minute', '', '', now(), now() - n * interval '1 minute'
FROM generate_series(1, {stories}) AS n;
SET session_replication_role = origin;
INSERT INTO articles_revision (article_id, number, snapshot, note, created_at)
SELECT id, 1, '{{}}', '', now() FROM articles_article;
INSERT INTO digests_delivery
    (uuid, issue_id, subscriber_id, state, reason, attempts, disturbances, render_failures, fence, remote_id,
     settled_at)
SELECT gen_random_uuid(), {issue}, id, CASE WHEN id % 3 = 0 THEN 'pending' ELSE 'accepted' END, '', 1, 0, 0, 0, '',
    CASE WHEN id % 3 > 0 THEN now() END
FROM subscribers_subscriber;
UPDATE digests_issue SET state = 'sending', audience_count = {readers}, planned_at = now(), started_at = now(),
    copies_after = 0, copies_until = (SELECT max(id) FROM digests_delivery) WHERE id = {issue};
"""

say = functools.partial(_figures.say, "desk")


def main() -> None:
    """Fill the database, then open each page."""
    issue = _audience.approved_issue(_audience.create(readers=READERS))
    section = Section.objects.create(name="News of the bench", slug="bench")
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(FILL.format(stories=STORIES, section=section.pk, issue=issue.pk, readers=READERS))
        cursor.execute("VACUUM ANALYZE")
    editor = User.objects.filter(username="bench").first() or User.objects.create_superuser("bench")
    desk = Client(SERVER_NAME="127.0.0.1")
    desk.force_login(editor)
    cache.clear()
    monitor = f"/admin/digests/issue/{issue.pk}"
    say("an issue that is sent, first look", _opened(desk, f"{monitor}/change/")[0], "ms", allowed=ALLOWED_MS)
    say("its copies counted", _opened(desk, f"{monitor}/progress/")[0], "ms")
    say("Today, nothing remembered", _opened(desk, "/admin/")[0], "ms")
    for name, address in pages(issue).items():
        measure(desk, name, address)


def pages(issue: Issue) -> dict[str, str]:
    """What is opened, by its name."""
    return {
        "Today": "/admin/",
        "an issue that is sent": f"/admin/digests/issue/{issue.pk}/change/",
        "issues": "/admin/digests/issue/",
        "stories": "/admin/articles/article/",
        "stories, page 50": "/admin/articles/article/?p=50",
        "stories with two words": "/admin/articles/article/?q=story+word77",
        "pictures": "/admin/articles/image/",
        "calendar": "/admin/calendar/",
        "readers": "/admin/subscribers/subscriber/",
        "readers, page 90": "/admin/subscribers/subscriber/?p=90",
        "readers by the beginning of an address": "/admin/subscribers/subscriber/?q=reader77",
        "subscriptions": "/admin/subscribers/subscription/",
        "acts of consent": "/admin/subscribers/consentevent/",
        "copies": "/admin/digests/delivery/",
        "copies of an issue": f"/admin/digests/delivery/?issue__id__exact={issue.pk}",
        "audit log": "/admin/staff/auditevent/",
    }


def measure(desk: Client, name: str, address: str) -> None:
    """One page: the time at the database, the number of statements, the time of the whole."""
    _opened(desk, address)
    rounds = [_opened(desk, address) for _ in range(ROUNDS)]
    database, statements, whole = (statistics.median(values) for values in zip(*rounds, strict=True))
    say(name, database, "ms", allowed=ALLOWED_MS, statements=int(statements), page_ms=round(whole, 1))


def _opened(desk: Client, address: str) -> tuple[float, int, float]:
    """Milliseconds at the database, statements, and milliseconds of the page."""
    began = time.perf_counter()
    with _statements.timed() as spent:
        response = desk.get(address)
    if response.status_code != 200:
        raise SystemExit(f"{address} answered {response.status_code}")
    return sum(spent), len(spent), 1_000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
