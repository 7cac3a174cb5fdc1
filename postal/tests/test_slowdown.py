"""Which refusals are about our pace, and who is to be slowed down for them."""

from __future__ import annotations

import pytest

from postal import slowdown
from postal.transports.base import Outcome, Phase

ROUTE = "relay:mx:25"


def outcome(
    code: str, phase: Phase = Phase.RCPT, *, number: int = 1, reason: str = "", retry_after: int | None = None
) -> Outcome:
    return Outcome(number, "deferred", phase, reason, code, retry_after=retry_after)


def test_a_session_too_many_slows_nobody_down() -> None:
    """A server with room for three sessions must not be sent one copy a second."""
    assert slowdown.complaints(outcomes=[outcome("421 4.7.0", Phase.SESSION)], domains={}, route=ROUTE) == {}
    asked = slowdown.complaints(outcomes=[outcome("429", Phase.SESSION, retry_after=7)], domains={}, route=ROUTE)
    assert asked == {ROUTE: slowdown.Complaint(share=1, part=1, hold=7)}


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (outcome("421 4.7.0"), True),
        (outcome("421"), True),
        (outcome("451 4.7.650"), True),
        (outcome("450 4.7.28"), True),
        (outcome("429", Phase.FINAL, retry_after=60), True),
        (outcome("450 4.2.2"), False),
        (outcome("451 4.3.0"), False),
        (outcome("450 4.7.1", reason="Greylisted, try again later"), False),
        (outcome("454", reason="Throttling failure: Maximum sending rate exceeded."), True),
        (outcome("450", reason="Too many messages from you"), True),
        (outcome("452 4.5.3", reason="Too many recipients"), False),
        (outcome("", Phase.CONNECT), False),
        (Outcome(1, "rejected", Phase.RCPT, "", "550 5.7.1"), False),
        (Outcome(1, "deferred", Phase.SESSION, "", "421 4.7.0", about_us=True), False),
    ],
)
def test_what_means_too_fast(refusal: Outcome, expected: bool) -> None:
    assert slowdown.is_too_fast(refusal) is expected


def accepted_of(*numbers: int) -> list[Outcome]:
    return [Outcome(number, "accepted", Phase.FINAL) for number in numbers]


def test_a_readers_provider_is_slowed_alone_and_three_of_them_are_the_relay() -> None:
    names = {number: f"d{number}.example" for number in range(8)}
    one = [outcome("451 4.7.650", number=1), *accepted_of(2, 3, 4)]
    complaints = slowdown.complaints(outcomes=one, domains=names, route=ROUTE)
    assert complaints == {"domain:d1.example": slowdown.Complaint(share=1, part=0.25, hold=0)}
    several = [*(outcome("451 4.7.650", number=number) for number in (1, 2, 3)), *accepted_of(4, 5, 6)]
    complaints = slowdown.complaints(outcomes=several, domains=names, route=ROUTE)
    assert complaints == {ROUTE: slowdown.Complaint(share=0.5, part=1, hold=0)}
    closing = [outcome("421 4.7.0", number=1), outcome("450 4.2.1", number=2)]
    assert list(slowdown.complaints(outcomes=closing, domains=names, route=ROUTE)) == [ROUTE]


def test_a_domain_is_judged_by_its_own_copies() -> None:
    names = dict.fromkeys(range(4), "big.example") | dict.fromkeys(range(4, 10), "other.example")
    results = [outcome("451 4.7.650", number=0), *accepted_of(*range(1, 10))]
    complaints = slowdown.complaints(outcomes=results, domains=names, route=ROUTE)
    assert complaints == {"domain:big.example": slowdown.Complaint(share=0.25, part=0.4, hold=0)}


def test_of_several_refusals_the_longest_wait_holds_but_no_longer_than_a_day() -> None:
    refusals = [
        outcome("429", Phase.FINAL, number=number, retry_after=after) for number, after in enumerate((5, 60, 7))
    ]
    assert slowdown.complaints(outcomes=refusals, domains={}, route=ROUTE)[ROUTE].hold == 60
    refusals.append(outcome("429", Phase.FINAL, number=9, retry_after=10_000_000))
    complaints = slowdown.complaints(outcomes=refusals, domains={}, route=ROUTE)
    assert complaints[ROUTE].hold == slowdown.LONGEST_HOLD_SECONDS
