"""Rate limits are read from the environment, and a mistake is reported in one sentence."""

from collections.abc import Callable
from datetime import date, time
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from newsroom import email_url, rate_settings


def test_rates_of_mail_domains() -> None:
    rates = rate_settings.domain_rates(["gmail.com=20/s", "Gmail.com=10000/h", "*=5/m"])
    assert rates == {"gmail.com": [(20, 1), (10_000, 3600)], "*": [(5, 60)]}


def test_warm_up_plans() -> None:
    plans = rate_settings.warm_up(["News.example.org=2026-11-22:200:1.5"])
    assert plans == {"news.example.org": (date(2026, 11, 22), 200, 1.5)}


def test_hours() -> None:
    assert rate_settings.hours("07:00-21:30") == (time(7), time(21, 30))
    assert rate_settings.hours(" ") is None


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (rate_settings.domain_rates, ["gmail.com"]),
        (rate_settings.domain_rates, ["gmail.com=0/s"]),
        (rate_settings.domain_rates, ["gmail.com=5/y"]),
        (rate_settings.domain_rates, ["=5/s"]),
        (rate_settings.warm_up, ["news.example=200:1.5"]),
        (rate_settings.warm_up, ["news.example=2026-11-22:0:1.5"]),
        (rate_settings.warm_up, ["news.example=2026-11-22:200:0.5"]),
        (rate_settings.warm_up, ["news.example=2026-11-22:200:nan"]),
        (rate_settings.warm_up, ["=2026-11-22:200:1.5"]),
        (rate_settings.hours, "7-21"),
        (rate_settings.hours, "07:00-07:00"),
        (rate_settings.hours, "25:00-26:00"),
    ],
)
def test_a_mistake_is_told_with_an_example(read: Callable[[Any], object], value: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"must be .* as"):
        read(value)


@pytest.mark.parametrize("separator", [" ", ", ", ",", "\n"])
def test_several_mail_servers_with_weights(separator: str) -> None:
    urls = ["smtp://user:pass,word@a.example:587/?tls=1&weight=3", "smtps://b.example?rate=20", "smtp://c.example"]
    sending = email_url.read(separator.join(urls))
    assert sending.transport == "smtp"
    assert [(one.host, one.port, one.weight, one.rate, one.tls) for one in sending.relays] == [
        ("a.example", 587, 3, 0, "starttls"),
        ("b.example", 465, 1, 20, "implicit"),
        ("c.example", 25, 1, 0, "none"),
    ]
    assert sending.relays[0].password == "pass,word"


@pytest.mark.parametrize(
    "url",
    [
        "smtp://a.example?weight=0",
        "smtp://a.example?weight=x",
        "smtp://a.example?rate=-1",
        "smtp://a.example smtp://a.example",
        "smtp://a.example anymail+mailgun://key@example.org",
    ],
)
def test_a_list_of_mail_servers_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        email_url.read(url)
