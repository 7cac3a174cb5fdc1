"""A newsletter with ten thousand stories: composed in a moment, in little memory, and each story is covered."""

import re
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from articles.models import Section
from digests import composing, fitting
from digests.models import Issue, IssueItem
from subscribers.models import Cadence, Newsletter

STORIES = 10_000
# Each with 20 KB of text: whoever loads them all needs 400 MB.
INSERT = """
INSERT INTO articles_article
    (headline, slug, standfirst, body_markdown, body_html, body_text, body_sha256, section_id, state,
     published_at, first_published_at, withdrawal_reason, created_at, updated_at)
SELECT 'Story ' || n, 'story-' || n, repeat('Words. ', 20), repeat('word ', 2000), repeat('word ', 2000), '',
    repeat('0', 64), %s, 'published', %s - n * interval '1 second', %s - n * interval '1 second', '', now(), now()
FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def huge(newsletter: Newsletter, news: Section, now: datetime) -> Iterator[Newsletter]:
    newsletter.offers.exclude(cadence=Cadence.DAILY).delete()
    Newsletter.objects.update(auto_approve=True)
    with connection.cursor() as cursor:
        # As after a bulk load: the planner's statistics are of a time without a public story.
        cursor.execute(INSERT, [news.pk, now.replace(hour=4), now.replace(hour=4), 300])
        cursor.execute("UPDATE articles_article SET state = 'draft'")
        cursor.execute("ANALYZE articles_article, digests_issueitem, digests_issue")
        cursor.execute("DELETE FROM articles_article")
        cursor.execute(INSERT, [news.pk, now.replace(hour=4), now.replace(hour=4), STORIES])
        cursor.execute("SET LOCAL statement_timeout = '5s'")
    yield Newsletter.objects.get()
    # The constraints of all these rows are checked when the test's transaction ends.
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")


def test_it_is_composed_approved_and_covered(huge: Newsletter, now: datetime) -> None:
    began = time.process_time()
    [issue] = composing.compose_due(now=now)
    seconds = time.process_time() - began
    assert issue.state == Issue.State.SCHEDULED
    assert IssueItem.objects.filter(issue=issue, included=True).count() == STORIES
    assert fitting.sent_size(issue.snapshot.html) < fitting.LIMIT
    assert f"and {STORIES - 40:,} more stories" in issue.snapshot.html
    # One on an idle machine; a query that compared each item with every story would have been stopped.
    assert seconds < 10


def test_no_text_of_a_story_is_loaded_and_queries_do_not_grow(huge: Newsletter, now: datetime) -> None:
    """What is read grows by an id for each story, and by a row of 2,000 for each insert."""
    with CaptureQueriesContext(connection) as queries:
        composing.compose_due(now=now)
    read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    texts = re.compile(r'"(body_markdown|body_html|body_text|search_vector)"')
    assert [sql for sql in read if texts.search(sql)] == []
    assert len(queries) < 80
