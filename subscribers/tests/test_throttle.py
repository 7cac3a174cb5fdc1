"""Limits: exact windows in Redis, silent where an answer would tell of an address, never in the way when Redis is."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from limits import RateLimitItemPerMinute

from core import redis_client
from mailkit import addresses
from subscribers import links, throttle
from subscribers.models import Letter, Newsletter, Subscription
from subscribers.tests.conftest import Fill
from tests.cast import BOB, RITA
from tests.cast import ask as ask_for


def ask(address: str, now: datetime, *, ip: str | None = None, minutes: float = 0) -> bool:
    """Whether the request counts; False also for one that is sent away for now."""
    with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
        try:
            return throttle.signup(address=addresses.normalise(address), ip=ip)
        except throttle.Crowded:
            return False


def test_a_mailbox_may_be_asked_for_once_in_ten_minutes_and_thrice_a_day(now: datetime) -> None:
    times = [0, 5, 9.9, 10.1, 20.2, 30.3, 1_000, 1_430, 1_441, 1_449, 1_452]
    verdicts = [ask("rita@reader.org", now, minutes=minutes) for minutes in times]

    assert verdicts == [True, False, False, True, True, False, False, False, True, False, True]


def test_an_address_that_never_answers_gets_five_letters_in_a_week(now: datetime) -> None:
    days = [0, 1, 2, 3, 4, 5, 6, 6.9, 7.1]
    verdicts = [ask("rita@reader.org", now, minutes=day * 1_440 + day) for day in days]

    assert verdicts == [True] * 5 + [False] * 3 + [True]


@pytest.mark.django_db
def test_an_answer_lets_the_mailbox_ask_again_but_not_at_once(browser: Client, newsletter: Newsletter) -> None:
    now = timezone.now()
    reader = ask_for(RITA, newsletter)
    link = links.confirm_token(subscriptions=reader.subscriptions.all())
    for day in range(-4, 1):
        assert ask(RITA, now, minutes=day * 1_440)
    assert not ask(RITA, now, minutes=1_441)

    assert browser.post(f"/confirm/{link}/").status_code == 200

    assert not ask(RITA, now, minutes=9)
    assert ask(RITA, now, minutes=1_452)


@pytest.mark.parametrize(
    "spelling", ["RITA@reader.org", "rita+news@reader.org", "rita@READER.org", " rita@reader.org "]
)
def test_spellings_of_one_mailbox_count_together(now: datetime, spelling: str) -> None:
    ask("rita@reader.org", now)

    assert not ask(spelling, now, minutes=1)


def test_dots_count_together_where_they_mean_nothing(now: datetime) -> None:
    ask("ri.ta@gmail.com", now)

    assert not ask("rita@googlemail.com", now)
    ask("ri.ta@reader.org", now)
    assert ask("rita@reader.org", now)


@pytest.mark.parametrize(
    ("first", "second", "elsewhere"),
    [
        ("198.51.100.1", "198.51.100.254", "198.51.101.1"),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1"),
    ],
)
def test_a_network_may_ask_twenty_times_an_hour(now: datetime, first: str, second: str, elsewhere: str) -> None:
    for number in range(20):
        assert ask(f"r{number}@d{number}.org", now, ip=first)

    assert not ask("another@one.org", now, ip=second)
    assert ask("another@one.org", now, ip=elsewhere)
    assert ask("yet@another.org", now, ip=second, minutes=61)


def test_the_networks_of_one_customer_have_a_limit_together(now: datetime) -> None:
    verdicts = [
        ask(f"r{number}@d{number}.org", now, ip=f"2001:db8:1:{number:x}::1", minutes=number / 1_000)
        for number in range(101)
    ]

    assert verdicts == [True] * 100 + [False]
    assert ask("another@one.org", now, ip="2001:db8:2::1", minutes=1)


def test_requests_without_any_address_have_a_limit_together(now: datetime) -> None:
    verdicts = [ask(f"r{number}@d{number}.org", now, ip=None) for number in range(101)]

    assert verdicts == [True] * 100 + [False]


def test_rotating_networks_do_not_help_against_one_mailbox(now: datetime) -> None:
    verdicts = [ask("rita@reader.org", now, ip=f"10.{number}.0.1") for number in range(5)]

    assert verdicts == [True] + [False] * 4


def test_a_provider_and_the_whole_site_have_limits(now: datetime, settings: Any) -> None:
    settings.THROTTLES = replace(
        settings.THROTTLES,
        signup_wide_network=[RateLimitItemPerMinute(9)],
        signup_domain=[RateLimitItemPerMinute(2)],
        signup_overall=[RateLimitItemPerMinute(4)],
    )
    verdicts = [ask(f"a{number}@reader.org", now) for number in range(3)]
    assert verdicts == [True, True, False]
    assert ask(BOB, now)
    assert not ask("carol@third.org", now)


def test_links_to_preferences_count_against_the_network_too(now: datetime) -> None:
    for number in range(20):
        assert throttle.preferences(address=addresses.normalise(f"r{number}@reader.org"), ip="198.51.100.1")

    with pytest.raises(throttle.Crowded):
        throttle.preferences(address=addresses.normalise(BOB), ip="198.51.100.1")


def test_nothing_is_kept_longer_than_it_counts(now: datetime) -> None:
    ask("rita@reader.org", now, ip="198.51.100.1")
    client = redis_client.connect()
    lives = [client.ttl(key) for key in client.scan_iter(match=redis_client.key("throttle", "*"))]
    assert len(lives) == 7
    assert all(0 < seconds <= 604_800 for seconds in lives)
    assert sorted(lives)[-2] <= 86_400


def test_a_crowded_network_uses_up_nothing_of_an_address(now: datetime) -> None:
    for number in range(20):
        ask(f"r{number}@d{number}.org", now, ip="198.51.100.1")
    assert not ask("rita@reader.org", now, ip="198.51.100.1")

    assert ask("rita@reader.org", now, ip="203.0.113.1")


def test_the_room_that_is_left_for_a_network_does_not_tell_whether_an_address_was_over_its_limit(now: datetime) -> None:
    left = []
    for network, address in [("198.51.100.1", "rita@reader.org"), ("203.0.113.1", "rita@reader.org")]:
        verdicts = [ask(address, now, ip=network)] + [ask(f"a{n}@d{network}.org", now, ip=network) for n in range(20)]
        left.append(verdicts[1:].count(True))

    assert left == [19, 19]


def test_redis_learns_no_address(now: datetime) -> None:
    ask("rita@reader.org", now, ip="198.51.100.1")
    keys = str(redis_client.connect().keys("*"))

    assert ":throttle:" in keys
    assert "rita" not in keys
    assert "reader" not in keys
    assert "198.51" not in keys


@pytest.mark.django_db
def test_over_the_limit_nothing_happens_and_nothing_is_said(
    browser: Client, newsletter: Newsletter, fill: Fill
) -> None:
    browser.post("/subscribe/", fill())
    number = Subscription.objects.get().request_number
    response = browser.post("/subscribe/", fill())

    assert (response.status_code, response["Location"]) == (303, "/subscribe/sent/")
    assert Letter.objects.count() == 1
    assert Subscription.objects.get().request_number == number


@pytest.mark.django_db
def test_without_redis_people_can_still_sign_up(
    browser: Client, newsletter: Newsletter, fill: Fill, settings: object, caplog: pytest.LogCaptureFixture
) -> None:
    data, there = fill(), settings.REDIS_URL  # type: ignore[attr-defined]  # pytest-django's settings fixture
    settings.REDIS_URL = "unix:///nowhere/redis.sock"  # type: ignore[attr-defined]  # as above
    try:
        assert browser.post("/subscribe/", data).status_code == 303
    finally:
        settings.REDIS_URL = there  # type: ignore[attr-defined]  # as above

    assert Letter.objects.count() == 1
    assert "Limits are not applied" in caplog.text
    assert "@" not in caplog.text
