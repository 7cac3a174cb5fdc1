"""PostgreSQL itself is restarted, killed, set back and full: nobody gets two, nobody is lost."""

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from digests import stats
from digests.models import Delivery, Issue
from newsroom import middleware
from subscribers import erasure, noes, signup
from subscribers.models import Subscriber, Subscription
from tests.cast import evidence
from tests.faults import postgres_server
from tests.faults.postgres_server import FAST, IMMEDIATE, KILLED, Server
from tests.journeys import stage as stages
from tests.journeys.conftest import People

State = Delivery.State
READERS, IN_FLIGHT, LANES, LEASE = 150, 5, 2, 3
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with (
        django_db_blocker.unblock(),
        postgres_server.running(tmp_path_factory.mktemp("postgres")) as running,
        postgres_server.instead(running),
    ):
        yield running


def begin(stage: stages.Stage, people: People, issue: Issue) -> list[str]:
    everybody = people(READERS)
    stage.extra = {"COPIES_IN_FLIGHT": str(IN_FLIGHT), "LANES": str(LANES), "LEASE_SECONDS": str(LEASE)}
    stage.worker()
    stage.let_through(0)
    stage.send(issue)
    return everybody


def check_contract(stage: stages.Stage, issue: Issue, everybody: list[str], *, most: int) -> None:
    """Nobody got two copies, every reader without one is listed, and there are at most `most` of those."""
    copies = stage.mail.copies()
    rows = dict(issue.deliveries.values_list("subscriber__address", "state"))
    assert set(rows) == set(everybody)
    assert set(copies.values()) == {1}
    uncertain = {one for one, state in rows.items() if state == State.UNCERTAIN}
    assert set(everybody) - set(copies) <= uncertain
    assert {one for one, state in rows.items() if state == State.ACCEPTED} <= set(copies)
    assert len(uncertain) <= most
    assert stats.progress(issue).conserved
    assert issue.state == (Issue.State.SENT_WITH_EXCEPTIONS if uncertain else Issue.State.SENT)


def test_restarted_and_killed_in_the_middle_of_an_issue(
    server: Server, stage: stages.Stage, people: People, issue: Issue
) -> None:
    """The attempts of the lanes are read back, and what was answered is written when the server is there again."""
    everybody = begin(stage, people, issue)
    for part, how in enumerate((FAST, IMMEDIATE, KILLED), start=1):
        stage.let_through(part * READERS // 5)
        server.stop(how)
        server.start()

    stage.finish(issue)

    check_contract(stage, issue, everybody, most=3 * LANES * IN_FLIGHT)


def test_a_backup_that_is_restored_in_the_middle_of_an_issue_sends_nothing_twice(
    server: Server, stage: stages.Stage, people: People, issue: Issue
) -> None:
    everybody = begin(stage, people, issue)
    stage.let_through(READERS // 5)
    server.stop(FAST)
    server.back_up()
    server.start()
    stage.let_through(READERS // 2)
    connection.close()
    erased, left = say_no(stage, issue)
    stage.kill(stage.started[-1])
    server.stop(KILLED)
    server.set_back()
    server.start()
    # What was on the wire arrives.
    stage.let_all_through()

    # Somebody starts the workers before they have read the page about restores.
    stage.worker()
    stage.tick_until(lambda: is_paused(issue), "the issue to be paused", 30)
    assert len(stage.mail.accepted) <= READERS // 2 + LANES * IN_FLIGHT
    at_the_restore = len(stage.mail.accepted)

    assert f"Issue {issue.pk} is paused." in stage.manage("after_restore")
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.SENDING)
    stage.finish(issue)

    # They said no after the backup, so the restored database had them as readers whose copies wait.
    assert not {erased, left} & set(stage.mail.copies())
    assert not Subscriber.objects.filter(address=erased).exists()
    assert Subscription.objects.get(subscriber__address=left).state == Subscription.State.UNSUBSCRIBED
    assert issue.deliveries.filter(state=State.SUPPRESSED).count() == 2
    issue.deliveries.filter(state=State.SUPPRESSED).delete()
    # All that left between the backup and the restore, and what the lanes had in hand.
    most = READERS // 2 - READERS // 5 + 2 * LANES * IN_FLIGHT
    check_contract(stage, issue, [one for one in everybody if one not in {erased, left}], most=most)
    assert len(stage.mail.accepted) > at_the_restore


def say_no(stage: stages.Stage, issue: Issue) -> tuple[str, str]:
    """Two readers without a copy are erased and leave, and that is written outside of the database."""
    waiting = issue.deliveries.filter(state=State.PENDING).order_by("-pk").select_related("subscriber")
    erased, left = (copy.subscriber for copy in waiting[:2])
    assert erased
    assert left
    now = timezone.now()
    erasure.erase(address_key=erased.address_key, evidence=evidence(), actor=None, now=now)
    signup.unsubscribe(subscription=left.subscriptions.get(), evidence=evidence(), reason="one_click", now=now)
    # The processes of the worker are busy with the lanes; its clock would have written it by the next minute.
    with override_settings(CONSENT_HEADS=stage.var / "consent-heads"):
        assert noes.write(now=now) == 2
    return erased.address, left.address


def test_no_connection_is_left(server: Server, transactional_db: None, client: Client) -> None:
    connection.close()
    with contextlib.ExitStack() as others:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                others.enter_context(psycopg.connect(server.url))
        response = client.get("/")
        assert (response.status_code, response["Retry-After"]) == (503, str(middleware.RETRY_SECONDS))
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200

    assert client.get("/").status_code == 200


def is_paused(issue: Issue) -> bool:
    connection.close()
    issue.refresh_from_db()
    return issue.state == Issue.State.PAUSED
