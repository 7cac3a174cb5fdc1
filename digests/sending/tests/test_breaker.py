"""The breaker: single refusals pass, a world that refuses us pauses the issue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.conf import settings

from core.reasons import Reason
from digests.issue_reasons import IssueReason
from digests.models import Issue
from digests.sending import breaker, lanes
from digests.sending.tests.conftest import ScriptedTransport, accepted, refuse, states
from postal.transports.base import Outcome, Phase


def result(state: str, *, about_us: bool = False) -> Outcome:
    return Outcome(delivery_id=1, state=state, phase=Phase.RCPT, reason="550 no", about_us=about_us)  # type: ignore[arg-type]  # one of the four


def test_twenty_refusals_in_a_row_trip_it() -> None:
    watcher = breaker.Breaker()
    assert watcher.watch([result("rejected")] * 19) is None
    reason = watcher.watch([result("rejected")])
    assert reason == Reason(IssueReason.REFUSED_IN_A_ROW, {"count": 20, "last": "550 no"})


def test_an_accepted_copy_breaks_the_row() -> None:
    watcher = breaker.Breaker()
    for _ in range(3):
        assert watcher.watch([result("rejected")] * 10 + [result("accepted")] * 90) is None


def test_a_share_of_refusals_about_us_trips_it() -> None:
    watcher = breaker.Breaker()
    mixed = [result("accepted")] * 15 + [result("rejected", about_us=True)]
    reason = None
    for _ in range(10):
        reason = reason or watcher.watch(mixed)
    assert reason is not None
    assert reason.code == IssueReason.REFUSED_ABOUT_US


def test_a_share_of_refused_mailboxes_trips_it() -> None:
    """An old or a bought list: never many in a row, too many in all."""
    watcher = breaker.Breaker()
    mixed = [result("accepted")] * 3 + [result("rejected")]
    assert watcher.watch(mixed * 24) is None, "too few to say anything"
    reason = watcher.watch(mixed * 2)
    assert reason == Reason(IssueReason.REFUSED_READERS, {"refused": 25, "copies": 100, "last": "550 no"})


def test_the_reason_is_the_one_that_tripped_it_whatever_came_after() -> None:
    watcher = breaker.Breaker()
    reason = watcher.watch([result("rejected", about_us=True)] * 20 + [result("accepted")] * 30)
    assert reason is not None
    assert reason.code == IssueReason.REFUSED_IN_A_ROW


def test_refusals_about_us_are_not_counted_as_mailboxes() -> None:
    watcher = breaker.Breaker()
    watcher.watch([result("deferred", about_us=True)] * 10 + [result("accepted")] * 100)
    assert (watcher.about_us, watcher.rejected) == (10, 0)


def test_one_percent_of_refused_mailboxes_is_normal() -> None:
    watcher = breaker.Breaker()
    for _ in range(50):
        assert watcher.watch([result("accepted")] * 99 + [result("rejected")]) is None


@pytest.mark.django_db
def test_the_issue_is_paused_with_the_reason_and_nobody_is_bounced(
    sending: Callable[[int], Issue], transport: ScriptedTransport
) -> None:
    issue = sending(120)
    transport.verdict = refuse("rejected", Phase.MAIL, about_us=True)
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    issue.refresh_from_db()
    assert issue.state == Issue.State.PAUSED
    assert issue.reason_sentence.startswith("Paused after 20 refusals in a row.")
    assert states(issue) == {"deferred": 50, "pending": 70}


@pytest.mark.django_db
def test_a_server_that_talks_a_lot_pauses_it_too(
    sending: Callable[[int], Issue], transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, breaker_consecutive=1))
    issue = sending(1)
    refused = refuse("rejected", Phase.MAIL, about_us=True)
    transport.verdict = lambda copy: refused(copy)._replace(reason="Go away! " * 100)
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    issue.refresh_from_db()
    assert issue.state == Issue.State.PAUSED
    assert issue.reason_sentence.startswith("Paused after 1 refusal. The last one: Go away! ")
    assert len((issue.state_reason_parameters or {})["last"]) == 300


@pytest.mark.django_db
def test_a_resumed_issue_has_a_new_chance(sending: Callable[[int], Issue], transport: ScriptedTransport) -> None:
    issue = sending(60)
    transport.verdict = refuse("rejected", Phase.MAIL, about_us=True)
    lanes.run(issue_id=issue.pk, lane=0)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.SENDING)
    transport.verdict = accepted
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"deferred": 50, "accepted": 10}
