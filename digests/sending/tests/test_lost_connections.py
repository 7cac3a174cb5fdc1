"""The database's connection is cut at each statement of a lane, before it was carried out and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Literal
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims
from digests.sending.tests.conftest import IN_FLIGHT, READERS, expire_leases, states
from tests import ownership
from tests.faults import lane_processes, postgres_proxy, smtp_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

Start = Callable[[int], Issue]
When = Literal["before", "after"]
CLAIM = b"nextval('digests_fence')"
RECORD = b"SET state = 'attempting'"
COMMIT = b"COMMIT"
SETTLE = b"THEN 'expired'"


@pytest.fixture(scope="module")
def proxy() -> Iterator[postgres_proxy.Proxy]:
    known = connection.settings_dict
    with postgres_proxy.running(host=str(known["HOST"] or "127.0.0.1"), port=int(known["PORT"] or 5432)) as running:
        yield running


@pytest.fixture(scope="module")
def nursery(
    mail: smtp_server.Server, proxy: postgres_proxy.Proxy, django_db_setup: None
) -> Iterator[lane_processes.Nursery]:
    known, name = ownership.application_settings(), connection.settings_dict["NAME"]
    password = {"password": known["PASSWORD"]} if known["PASSWORD"] else {}
    query = urlencode({"host": proxy.host, **password})
    with lane_processes.nursery(
        database=f"postgresql://{known['USER']}@/{name}?{query}",
        mail_port=mail.port,
        COPIES_IN_FLIGHT=str(IN_FLIGHT),
        LEASE_SECONDS="60",
    ) as lane_starter:
        yield lane_starter


@pytest.fixture
def cut_lane(
    sending: Start, mail: smtp_server.Server, proxy: postgres_proxy.Proxy, nursery: lane_processes.Nursery
) -> Callable[[bytes, When], Issue]:
    """Run a lane whose connection is cut at the second statement of the kind."""

    def run(statement: bytes, when: When) -> Issue:
        issue = sending(READERS)
        mail.begin_again({})
        proxy.cut = postgres_proxy.Cut(statement, when, number=2)
        nursery.start(issue_id=issue.pk).wait()
        assert proxy.cut.done
        return issue

    return run


def check_everybody_gets_one(issue: Issue, mail: smtp_server.Server, nursery: lane_processes.Nursery) -> None:
    nursery.start(issue_id=issue.pk).wait()
    issue.refresh_from_db()
    assert mail.copies() == Counter(issue.deliveries.values_list("subscriber__address", flat=True))
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"accepted": READERS})


@pytest.mark.parametrize(("statement", "when"), [
    (CLAIM, "before"), (CLAIM, "after"), (RECORD, "before"), (RECORD, "after"), (COMMIT, "before"),
])  # fmt: skip
def test_before_an_attempt_is_on_record_nobody_is_uncertain(
    cut_lane: Callable[[bytes, When], Issue],
    mail: smtp_server.Server,
    nursery: lane_processes.Nursery,
    statement: bytes,
    when: When,
) -> None:
    """What was claimed is free again once its lease is over."""
    issue = cut_lane(statement, when)
    assert len(mail.copies()) < READERS
    assert set(states(issue)) <= {"pending", "claimed", "accepted"}
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()

    check_everybody_gets_one(issue, mail, nursery)


@pytest.mark.parametrize(("statement", "when"), [(COMMIT, "after"), (SETTLE, "before"), (SETTLE, "after")])
def test_what_is_on_record_is_sent_and_settled_by_the_lane_itself(
    cut_lane: Callable[[bytes, When], Issue],
    mail: smtp_server.Server,
    nursery: lane_processes.Nursery,
    statement: bytes,
    when: When,
) -> None:
    """An attempt is read back on a new connection, a result is written again: no lease has to run out."""
    issue = cut_lane(statement, when)
    assert states(issue)["accepted"] >= IN_FLIGHT
    assert set(states(issue)) == {"accepted", "pending"}

    check_everybody_gets_one(issue, mail, nursery)


def test_a_lane_whose_lock_went_with_the_connection_ends(
    cut_lane: Callable[[bytes, When], Issue], mail: smtp_server.Server
) -> None:
    """Another task may hold the lane by now, so it takes no further batch."""
    issue = cut_lane(SETTLE, "before")
    counts = states(issue)
    assert set(counts) == {"accepted", "pending"}
    assert len(mail.copies()) == counts["accepted"] <= 2 * IN_FLIGHT
