"""Connections are cut, an editor goes on editing, two clocks tick: one copy each, one text."""

import re
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from articles.models import Article
from digests import stats
from digests.models import Issue
from publication.models import Publication
from subscribers.models import Newsletter
from tests import ownership
from tests.journeys import stage as stages
from tests.journeys.conftest import People, Story

READERS, IN_FLIGHT, LANES = 150, 10, 2
pytestmark = pytest.mark.slow


@pytest.fixture
def half_sent(stage: stages.Stage, people: People, issue: Issue) -> Issue:
    """An issue of which a part has left."""
    people(READERS)
    stage.extra = {"COPIES_IN_FLIGHT": str(IN_FLIGHT), "LANES": str(LANES), "LEASE_SECONDS": "3"}
    stage.worker()
    stage.let_through(0)
    stage.send(issue)
    stage.let_through(READERS // 5)
    return issue


def check_one_each(stage: stages.Stage, issue: Issue) -> None:
    assert set(stage.mail.copies().values()) == {1}
    assert len(stage.mail.copies()) == READERS
    assert stats.progress(issue).conserved
    assert issue.state == Issue.State.SENT


def cut_everybody_else_off() -> None:
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def test_connections_that_are_cut_again_and_again(stage: stages.Stage, half_sent: Issue) -> None:
    """Attempts that were in doubt are read back or made again, and results are written later."""
    for part in range(2, 5):
        cut_everybody_else_off()
        stage.let_through(part * READERS // 5)
    cut_everybody_else_off()

    stage.finish(half_sent)

    check_one_each(stage, half_sent)


def test_edits_while_an_issue_leaves_change_no_copy(stage: stages.Stage, half_sent: Issue) -> None:
    """Every copy is the same letter to letter, but for what is each reader's own."""
    now = timezone.now()
    Article.objects.update(headline="Edited", standfirst="Edited.", body_html="<p>Edited.</p>", updated_at=now)
    Newsletter.objects.update(name="Edited")
    Publication.objects.update(name="Edited", postal_address="Edited", accent_colour="#123456")
    Issue.objects.filter(pk=half_sent.pk).update(subject="Edited", preheader="Edited", introduction="Edited")
    # A worker that starts now knows only what is in the database now.
    stage.kill(stage.started[-1])
    stage.worker()

    stage.finish(half_sent)

    texts = Counter(common_text(raw) for raw in stage.mail.messages)
    assert len(texts) == 1
    assert b"Edited" not in next(iter(texts))
    assert len(stage.mail.messages) > READERS - LANES * IN_FLIGHT - 1


def common_text(raw: bytes) -> bytes:
    """The copy without its reader's address and links, and without the hour of its lane."""
    unfolded = raw.replace(b"=\r\n", b"").replace(b"\r\n ", b" ")
    without = re.sub(rb"(?m)^(To|Date|Message-ID|X-[\w-]+|Feedback-ID|List-Unsubscribe):.*$", rb"\1", unfolded)
    return re.sub(rb"/(unsubscribe|preferences)/[^/\s\"<>]+/", rb"/\1/", without)


def test_two_beats_of_two_hosts_beside_each_other(
    stage: stages.Stage, people: People, story: Story, newsletter: Newsletter
) -> None:
    """Real `celery beat`s and real workers: one issue of the period, and one copy each."""
    everybody = people(READERS)
    story("The story of the day")
    newsletter.auto_approve = True
    newsletter.save()
    offer = newsletter.offers.get()
    offer.send_at = timezone.now().astimezone(ZoneInfo(newsletter.time_zone)).replace(second=0, microsecond=0).time()
    offer.save()
    stage.extra = {"COPIES_IN_FLIGHT": str(IN_FLIGHT), "LANES": str(LANES), "LANE_SECONDS": "1"}
    for host in ("one", "two"):
        (stage.var / host).mkdir()
        stage.spawn(host, ["tests.faults.hurried_beat", str(stage.var / host)])
        stage.worker()

    stages.wait(lambda: Issue.objects.filter(state=Issue.State.SENT).exists(), "the issue to be sent", 60, stage.logs)

    issue = Issue.objects.get()
    assert issue.audience_count == READERS
    check_one_each(stage, issue)
    assert set(stage.mail.copies()) == set(everybody)
    assert all(process.poll() is None for process in stage.started)
