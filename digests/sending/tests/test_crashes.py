"""kill -9 at each point of a copy's way: nobody gets two, everybody who got none is listed, the rest goes on.

Every second reader reads Russian. Whatever was killed, each text reaches its own readers only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from digests import stats
from digests.models import Delivery, Issue
from digests.sending import claims, closing, preparing
from digests.sending.tests.conftest import IN_FLIGHT, READERS, expire_leases, frozen_issue, states, subscribe
from subscribers.models import Newsletter, Subscriber
from tests.faults import crash_points, lane_processes, smtp_script, smtp_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

Start = Callable[[int], Issue]
TEXTS = {"": "Read this.", "ru": "Chitaite."}
# Nothing of the batch can have left: its rows are free again.
BEFORE_THE_ATTEMPT = ["claimed:1", "rendered:1"]
AFTER_THE_ATTEMPT = ["attempted:1", "attempted:2", "answered:1", "answered:14", "settling:1", "settling:2", "settled:1"]
# In the session with the mail server, which gets the point to kill at: at the first copy and in the second batch.
ON_THE_WIRE = ["MAIL", "RCPT", "DATA", "BODY", "DOT", "ACCEPTED", "TOLD"]


@pytest.fixture
def sending(newsletter: Newsletter) -> Start:
    """An issue in two languages that is being sent to that many readers."""

    def start(count: int) -> Issue:
        readers = [row.subscriber_id for row in subscribe(newsletter, count)]
        Subscriber.objects.filter(pk__in=readers[::2]).update(language="ru")
        issue = frozen_issue(newsletter, text=TEXTS[""], ru=TEXTS["ru"])
        assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
        issue.refresh_from_db()
        return issue

    return start


def killed(nursery: lane_processes.Nursery, mail: smtp_server.Server, issue: Issue, crash_at: str) -> None:
    """Run a lane until it dies at the point, and let its leases run out."""
    lane = nursery.start(issue_id=issue.pk, crash_at=crash_at)
    mail.victim = lane.pid
    lane.wait()
    assert issue.deliveries.exclude(state="accepted").exists(), "the lane was not killed"
    assert issue.deliveries.filter(state__in=["claimed", "attempting"]).count() <= IN_FLIGHT
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()


def finish(nursery: lane_processes.Nursery, issue: Issue) -> None:
    """Run lanes until nothing waits. The dead one's session may hold the lane for a moment longer than it lived."""
    for _ in range(50):
        nursery.start(issue_id=issue.pk).wait()
        if not issue.deliveries.filter(state="pending").exists():
            break
    issue.refresh_from_db()


def check_contract(issue: Issue, mail: smtp_server.Server) -> set[str]:
    """Design 6; return who is listed."""
    copies = mail.copies()
    rows = dict(issue.deliveries.values_list("subscriber__address", "state"))
    uncertain = {address for address, state in rows.items() if state == Delivery.State.UNCERTAIN}
    spoken = dict(issue.deliveries.values_list("subscriber__address", "subscriber__language"))
    mails = zip(mail.accepted, mail.messages, strict=True)
    assert [copy.recipient for copy, text in mails if TEXTS[spoken[copy.recipient]].encode() not in text] == []
    assert max(copies.values()) == 1
    assert rows.keys() - copies.keys() <= uncertain
    assert set(rows.values()) <= {Delivery.State.ACCEPTED, Delivery.State.UNCERTAIN}
    assert len(uncertain) <= IN_FLIGHT
    assert stats.progress(issue).conserved
    assert issue.state == (Issue.State.SENT_WITH_EXCEPTIONS if uncertain else Issue.State.SENT)
    return uncertain


@pytest.mark.parametrize("point", BEFORE_THE_ATTEMPT)
def test_before_the_attempt_everybody_gets_one(
    sending: Start, nursery: lane_processes.Nursery, mail: smtp_server.Server, point: str
) -> None:
    issue = sending(READERS)
    mail.begin_again({})
    killed(nursery, mail, issue, point)
    assert not mail.accepted
    assert states(issue) == {"pending": READERS}

    finish(nursery, issue)

    assert check_contract(issue, mail) == set()
    assert len(mail.copies()) == READERS


@pytest.mark.parametrize("point", AFTER_THE_ATTEMPT)
def test_after_the_attempt_readers_without_a_copy_are_listed(
    sending: Start, nursery: lane_processes.Nursery, mail: smtp_server.Server, point: str
) -> None:
    issue = sending(READERS)
    mail.begin_again({})
    killed(nursery, mail, issue, point)

    finish(nursery, issue)

    listed = check_contract(issue, mail)
    if point == "settled:1":
        # The first batch is on record. A lane may hold the next one already.
        assert issue.deliveries.filter(state="accepted", attempts=1).count() >= IN_FLIGHT
    else:
        assert listed


@pytest.mark.parametrize("skip", [0, IN_FLIGHT + 2], ids=["first copy", "second batch"])
@pytest.mark.parametrize("moment", ON_THE_WIRE)
def test_on_the_wire_readers_without_a_copy_are_listed(
    sending: Start, nursery: lane_processes.Nursery, mail: smtp_server.Server, moment: str, skip: int
) -> None:
    issue = sending(READERS)
    mail.begin_again({"rules": [{"at": moment, "skip": skip, "times": 1, "do": "kill"}]})
    killed(nursery, mail, issue, "")

    finish(nursery, issue)

    assert 0 < len(check_contract(issue, mail)) <= IN_FLIGHT


def test_what_was_listed_can_be_sent_again_by_a_person(
    sending: Start, nursery: lane_processes.Nursery, mail: smtp_server.Server
) -> None:
    """Killed between attempt and wire: nobody of the batch has a copy, and all of it is on the list."""
    issue = sending(READERS)
    mail.begin_again({})
    killed(nursery, mail, issue, "attempted:1")
    finish(nursery, issue)
    assert len(check_contract(issue, mail)) == READERS - len(mail.copies()) == IN_FLIGHT
    issue.deliveries.filter(state="uncertain").update(state="pending", settled_at=None)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.SENDING)

    finish(nursery, issue)

    assert check_contract(issue, mail) == set()
    assert len(mail.copies()) == READERS


def test_an_issue_with_a_dead_lane_does_not_end_before_its_leases(
    sending: Start, nursery: lane_processes.Nursery, mail: smtp_server.Server
) -> None:
    issue = sending(READERS)
    mail.begin_again({})
    nursery.start(issue_id=issue.pk, crash_at="attempted:1").wait()
    finish(nursery, issue)
    assert states(issue) == {"attempting": IN_FLIGHT, "accepted": READERS - IN_FLIGHT}
    assert claims.recover() == 0
    assert closing.close(issue_id=issue.pk, now=timezone.now()) is None


def test_every_point_is_died_at() -> None:
    of_a_copy = set(crash_points.POINTS) - crash_points.OF_AN_ISSUE
    assert {one.partition(":")[0] for one in BEFORE_THE_ATTEMPT + AFTER_THE_ATTEMPT} == of_a_copy
    assert set(ON_THE_WIRE) == set(smtp_script.MOMENTS[smtp_script.MOMENTS.index("MAIL") :])
