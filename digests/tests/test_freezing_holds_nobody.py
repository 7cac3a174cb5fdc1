"""Rendering holds no lock, and an edit during it never gives a mixture of old and new."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from articles import publishing
from articles.models import Article
from core import locks
from digests import composing, freezing, rendering
from digests.issue_content import IssueContent
from digests.models import Issue, Snapshot
from publication.models import Publication
from subscribers.models import Cadence, Newsletter
from tests import threads
from tests.cast import Publish

pytestmark = pytest.mark.django_db(transaction=True)

# What publishing, composing, editing and signing up take; none of them waits.
TAKEN = [
    f"SELECT pg_advisory_xact_lock_shared({locks.key(publishing.WINDOW_LOCK)})",
    "SELECT FROM articles_article FOR UPDATE NOWAIT",
    "SELECT FROM digests_issue FOR UPDATE NOWAIT",
    "SELECT FROM digests_issueitem FOR UPDATE NOWAIT",
    "SELECT FROM subscribers_newsletter FOR UPDATE NOWAIT",
    "SELECT FROM subscribers_cadenceoffer FOR UPDATE NOWAIT",
]


@pytest.fixture
def while_rendering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], object]], list[int]]:
    """Call a function at each rendering, with its number; returns the numbers."""
    write = rendering.write
    times: list[int] = []

    def set_up(deed: Callable[[int], object]) -> list[int]:
        def write_meanwhile(*, content: IssueContent) -> rendering.RenderedIssue:
            times.append(len(times) + 1)
            written = write(content=content)
            assert threads.faults(lambda: deed(times[-1])) == []
            return written

        monkeypatch.setattr(rendering, "write", write_meanwhile)
        return times

    return set_up


def take_all(_time: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")
        for statement in TAKEN:
            cursor.execute(statement)


def test_composing_and_approving_hold_nobody_while_they_render(
    newsletter: Newsletter, publish: Publish, now: datetime, while_rendering: Callable[..., list[int]]
) -> None:
    Newsletter.objects.update(auto_approve=True)
    publish("One", now - timedelta(days=2))
    times = while_rendering(take_all)
    composing.compose_due(now=now)
    assert times == [1, 2]
    assert set(Issue.objects.values_list("state", flat=True)) == {Issue.State.SCHEDULED}


def test_a_person_who_approves_holds_nobody(
    digest: Issue, now: datetime, while_rendering: Callable[..., list[int]]
) -> None:
    times = while_rendering(take_all)
    freezing.freeze(issue=digest, now=now)
    assert times == [1]


EDITS: dict[str, Callable[[], Any]] = {
    "a headline": lambda: Article.objects.filter(headline="Second").update(headline="Newer words"),
    "a standfirst": lambda: Article.objects.filter(headline="Second").update(standfirst="Newer words"),
    "the introduction": lambda: Issue.objects.update(introduction="Newer words"),
    "the newsletter's name": lambda: Newsletter.objects.update(name="Newer words"),
    "the postal address": lambda: Publication.objects.update(postal_address="Newer words"),
    "the sender": lambda: Newsletter.objects.update(sender_name="Newer words"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_edited_while_it_is_frozen_is_in_the_snapshot(
    digest: Issue, now: datetime, while_rendering: Callable[..., list[int]], edit: str
) -> None:
    times = while_rendering(lambda time: EDITS[edit]() if time == 1 else None)
    snapshot = freezing.freeze(issue=digest, now=now)
    assert times == [1, 2]
    assert "Newer words" in f"{snapshot.html} {snapshot.headers}"
    assert freezing.verify(snapshot=Snapshot.objects.get())


def test_what_is_left_out_while_it_is_frozen_is_not_sent(
    digest: Issue, now: datetime, while_rendering: Callable[..., list[int]]
) -> None:
    while_rendering(lambda time: digest.items.filter(article__headline="Second").update(included=False))
    assert "Second" not in freezing.freeze(issue=digest, now=now).html


def test_an_issue_under_constant_editing_is_tried_again_in_the_next_minute(
    newsletter: Newsletter, publish: Publish, now: datetime, while_rendering: Callable[..., list[int]]
) -> None:
    Newsletter.objects.update(auto_approve=True)
    newsletter.offers.exclude(cadence=Cadence.DAILY).delete()
    story = publish("One", now.replace(hour=1))
    edits = Article.objects.filter(pk=story.pk)
    times = while_rendering(lambda time: edits.update(standfirst=f"Words {time}") if time <= freezing.TRIES else None)
    [issue] = composing.compose_due(now=now)
    assert (issue.state, issue.state_reason, len(times)) == (Issue.State.DRAFT, "", freezing.TRIES)
    composing.compose_due(now=now)
    issue.refresh_from_db()
    assert issue.state == Issue.State.SCHEDULED
    assert f"Words {freezing.TRIES}" in Snapshot.objects.get().html


def test_a_process_that_dies_between_composing_and_approving_leaves_nothing_behind(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    Newsletter.objects.update(auto_approve=True)
    publish("One", now - timedelta(days=2))
    composing.compose_due(now=now, approve=False)
    assert set(Issue.objects.values_list("state", flat=True)) == {Issue.State.DRAFT}
    composing.compose_due(now=now)
    assert set(Issue.objects.values_list("state", flat=True)) == {Issue.State.SCHEDULED}


def test_two_clocks_approve_once(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    Newsletter.objects.update(auto_approve=True)
    newsletter.offers.exclude(cadence=Cadence.DAILY).delete()
    publish("One", now.replace(hour=1))
    assert threads.faults(*[lambda: composing.compose_due(now=now)] * 4) == []
    issue = Issue.objects.get()
    assert (issue.state, issue.state_reason, issue.number) == (Issue.State.SCHEDULED, "", 1)
    assert Snapshot.objects.count() == 1
