"""F1 and F11 through a provider: what it may have taken is listed and never sent again, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests import stats
from digests.models import Issue
from digests.sending import claims, lanes, sweeper
from digests.sending.tests.conftest import expire_leases, states
from tests.faults import lane_processes, mailgun_server
from tests.journeys import stage as stages

Start = Callable[[int], Issue]
READERS, IN_FLIGHT = 25, 10


@pytest.fixture(scope="module")
def provider() -> Iterator[mailgun_server.Server]:
    with mailgun_server.running() as server:
        yield server


@pytest.fixture
def mailgun(provider: mailgun_server.Server, settings: Any) -> mailgun_server.Server:
    """The provider as the way out of this process, with nothing in it."""
    settings.SENDING = replace(settings.SENDING, copies_in_flight=IN_FLIGHT)
    settings.EMAIL_TRANSPORT, settings.EMAIL_PROVIDER = "esp", "mailgun"
    settings.EMAIL_BACKEND = "anymail.backends.mailgun.EmailBackend"
    settings.ANYMAIL = {
        "MAILGUN_API_KEY": "secret",
        "MAILGUN_API_URL": provider.url,
        "REQUESTS_TIMEOUT": (2, 0.3),
    }
    provider.accepted, provider.requests, provider.rules = [], [], []
    return provider


@pytest.mark.django_db
@pytest.mark.parametrize("do", ["status_after", "silence"])
def test_a_batch_whose_answer_is_lost_is_listed_and_the_others_leave(
    sending: Start, mailgun: mailgun_server.Server, do: str
) -> None:
    issue = sending(READERS)
    mailgun.rules = [mailgun_server.Rule(do, status=502, times=1)]
    for _ in range(3):
        lanes.run(issue_id=issue.pk, lane=0)
        sweeper.sweep(now=timezone.now())
    issue.refresh_from_db()
    assert states(issue) == {"uncertain": IN_FLIGHT, "accepted": READERS - IN_FLIGHT}
    assert issue.state == Issue.State.SENT_WITH_EXCEPTIONS
    assert {*mailgun.copies().values()} == {1}
    without = {*issue.deliveries.values_list("subscriber__address", flat=True)} - mailgun.copies().keys()
    assert len(without) == (0 if do.endswith("after") else IN_FLIGHT)
    assert not issue.deliveries.filter(subscriber__address__in=without).exclude(state="uncertain").exists()


@pytest.mark.django_db
def test_a_call_that_never_left_is_put_off(sending: Start, mailgun: mailgun_server.Server, settings: Any) -> None:
    """F7."""
    issue = sending(READERS)
    settings.ANYMAIL = settings.ANYMAIL | {"MAILGUN_API_URL": "http://127.0.0.1:9/v3"}
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.AWAY
    assert states(issue) == {"deferred": IN_FLIGHT, "pending": READERS - IN_FLIGHT}
    assert not mailgun.requests


@pytest.mark.django_db
def test_copies_in_flight_are_copies_per_call(sending: Start, mailgun: mailgun_server.Server) -> None:
    """The bound that the issue's page shows is also the size of what one request puts in doubt."""
    issue = sending(READERS)
    lanes.run(issue_id=issue.pk, lane=0)
    assert [len(form["to"]) for form in mailgun.requests] == [10, 10, 5]
    assert f"At most {IN_FLIGHT} copies are in flight" in stats.limits()[0]


@pytest.fixture(scope="module")
def nursery(provider: mailgun_server.Server, django_db_setup: None) -> Iterator[lane_processes.Nursery]:
    url = f"anymail+mailgun://secret@example.com?api_url={provider.url}"
    extra = {"EMAIL_URL": url, "COPIES_IN_FLIGHT": str(IN_FLIGHT), "LEASE_SECONDS": "60"}
    with lane_processes.nursery(database=stages.test_database(), mail_port=0, **extra) as lane_starter:
        yield lane_starter


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("point", "taken"), [("attempted:2", 10), ("answered:13", 20)])
def test_a_lane_killed_around_its_call_leaves_one_batch_in_doubt(
    sending: Start, mailgun: mailgun_server.Server, nursery: lane_processes.Nursery, point: str, taken: int
) -> None:
    issue = sending(READERS)
    nursery.start(issue_id=issue.pk, crash_at=point).wait()
    assert len(mailgun.accepted) == taken
    assert issue.deliveries.filter(state="attempting").count() == IN_FLIGHT
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()

    nursery.start(issue_id=issue.pk).wait()

    issue.refresh_from_db()
    assert issue.state == Issue.State.SENT_WITH_EXCEPTIONS
    assert states(issue) == {"uncertain": IN_FLIGHT, "accepted": READERS - IN_FLIGHT}
    assert {*mailgun.copies().values()} == {1}
    without = {*issue.deliveries.values_list("subscriber__address", flat=True)} - mailgun.copies().keys()
    assert without <= {*issue.deliveries.filter(state="uncertain").values_list("subscriber__address", flat=True)}
