"""A server that refuses copies as too many is sent fewer, then evenly more; everything refused costs it little."""

from __future__ import annotations

import pytest

from postal.throttle import Throttle, first_refusal

NOW = 1_000.0


def test_the_rate_halves_and_comes_back_evenly() -> None:
    throttle = first_refusal(share=1, base=100, hold=0, now=NOW)
    assert [throttle.rate_at(NOW + seconds) for seconds in (0, 1.5, 3, 4.5)] == pytest.approx([50, 65, 80, 95])
    assert (throttle.is_over(NOW), throttle.is_over(NOW + 4.9), throttle.is_over(NOW + 5.1)) == (False, False, True)


@pytest.mark.parametrize(
    ("share", "base", "rate", "ceiling"),
    [
        (0.03, 100, 97, 100),
        (0.3, 100, 70, 100),
        (0.5, 100, 50, 100),
        # Where most is refused, the rate was far too high.
        (0.9, 100, 50, 100),
        (1.0, 0.01, 0.5, 1),
    ],
)
def test_it_falls_by_what_was_refused_and_by_half_at_most(
    share: float, base: float, rate: float, ceiling: float
) -> None:
    throttle = first_refusal(share=share, base=base, hold=0, now=NOW)
    assert (throttle.rate_at(NOW), throttle.ceiling) == pytest.approx((rate, ceiling))


def test_a_server_that_refuses_everything_is_asked_every_other_second_in_the_end() -> None:
    throttle = first_refusal(share=1, base=1000, hold=0, now=NOW)
    for number in range(1, 20):
        throttle = throttle.refused(share=1, base=1000, hold=0, now=NOW + 1.1 * number)
    ends = NOW + 1.1 * 19
    assert throttle.rate_at(ends) == pytest.approx(0.5, abs=0.1)
    assert throttle.is_over(ends + 10), "ten quiet seconds, and nothing is left of it"


@pytest.mark.parametrize(("share", "least"), [(0.03, 100), (0.1, 95), (0.3, 30)])
def test_refused_now_and_then_the_rate_stays_within_reach(share: float, least: float) -> None:
    """It comes back by a tenth of its ceiling each second, however often the server refuses."""
    now, lowest = NOW, 1000.0
    throttle = first_refusal(share=share, base=100, hold=0, now=now)
    for _ in range(300):
        now += 1.05
        lowest = min(lowest, throttle.rate_at(now))
        throttle = throttle.refused(share=share, base=100, hold=0, now=now)
    assert lowest >= least


def test_a_throttle_that_began_at_a_low_rate_does_not_keep_to_it() -> None:
    """The first refusal may come before the lanes are at their speed."""
    throttle = first_refusal(share=0.03, base=20, hold=0, now=NOW)
    throttle = throttle.refused(share=0.03, base=2000, hold=0, now=NOW + 2)
    assert throttle.rate_at(NOW + 12) > 1900


def test_a_server_that_takes_ten_a_second_is_soon_asked_for_little_more() -> None:
    now, throttle = NOW, first_refusal(share=0.99, base=1000, hold=0, now=NOW)
    for _ in range(60):
        now += 1.05
        rate = throttle.rate_at(now)
        if rate > 10:
            # What was reached are ten copies a second; a throttle begins at twice that.
            throttle = throttle.refused(share=1 - 10 / rate, base=20, hold=0, now=now)
    assert 10 <= throttle.rate_at(now) <= 20


def test_a_hold_is_not_shortened_by_a_milder_refusal_and_nothing_recovers_meanwhile() -> None:
    throttle = first_refusal(share=1, base=64, hold=120, now=NOW)
    throttle = throttle.refused(share=1, base=2, hold=0, now=NOW + 10)
    assert throttle.until == NOW + 120
    assert throttle.rate_at(NOW + 120) == 16
    assert throttle.rate_at(NOW + 122) == pytest.approx(22.4)
    assert not throttle.is_over(NOW + 119)


def test_refusals_within_a_second_are_one_but_their_longest_hold_counts() -> None:
    throttle = first_refusal(share=1, base=64, hold=0, now=NOW).refused(share=1, base=64, hold=9, now=NOW + 0.5)
    assert throttle == Throttle(rate=32, ceiling=64, since=NOW, until=NOW + 9.5)
