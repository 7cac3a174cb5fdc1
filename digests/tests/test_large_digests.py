"""A newsletter with ten thousand stories: composed with little work, in little memory, and each story is covered."""

import re
from datetime import datetime

import pytest
from django.db import connection

from articles.models import Article, Section
from digests import composing, mail_size
from digests.models import Issue, IssueItem
from subscribers.models import Cadence, Newsletter
from tests import query_work

STORIES = 3_000
# Each with 20 KB of text: loading all of them takes 400 MB.
INSERT = """
INSERT INTO articles_article
    (headline, slug, standfirst, body_markdown, body_html, body_text, body_sha256, section_id, language, state,
     published_at, first_published_at, withdrawal_reason, returned_reason, created_at, updated_at)
SELECT 'Story ' || n, 'story-' || n, repeat('Words. ', 20), repeat('word ', 2000), repeat('word ', 2000), '',
    repeat('0', 64), %s, 'en', 'published', %s - n * interval '1 second', %s - n * interval '1 second', '', '',
    now(), now()
FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def huge(newsletter: Newsletter, section: Section, now: datetime) -> Newsletter:
    newsletter.offers.exclude(cadence=Cadence.DAILY).delete()
    Newsletter.objects.update(auto_approve=True)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [section.pk, now.replace(hour=4), now.replace(hour=4), STORIES])
    query_work.take_for_empty(Article, IssueItem)
    return Newsletter.objects.get()


def test_it_is_composed_approved_and_covered_with_little_work(huge: Newsletter, now: datetime) -> None:
    with query_work.measured() as work:
        [issue] = composing.compose_due(now=now)
    assert issue.state == Issue.State.SCHEDULED
    assert IssueItem.objects.filter(issue=issue, included=True).count() == STORIES
    assert mail_size.sent_size(issue.snapshot.html) < mail_size.LIMIT
    assert f"and {STORIES - 40:,} more stories" in issue.snapshot.html
    # A query that compared each item with every story would look at nine million rows.
    assert STORIES < work.rows < STORIES**2 / 4
    # No text of a story is read; what is read grows by an id for each, and by a row of 2,000 for each insert.
    texts = re.compile(r'"(body_markdown|body_html|body_text)"')
    assert [sql for sql in work.statements if sql.startswith("SELECT") and texts.search(sql)] == []
    assert len(work.statements) < 100
