"""Reads how fast copies may leave: DOMAIN_RATES, WARMUP, SEND_HOURS. Each mistake stops the program with a sentence."""

import re
from datetime import date, time

from django.core.exceptions import ImproperlyConfigured

from postal import config

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RATE = re.compile(r"([1-9]\d{0,8})/([smhd])")
_HOURS = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")


def domain_rates(entries: list[str]) -> dict[str, list[config.Rate]]:
    """`gmail.com=20/s`, `gmail.com=10000/h`, `*=50/s`: by domain; all of them hold."""
    rates: dict[str, list[config.Rate]] = {}
    for entry in entries:
        domain, _, text = entry.partition("=")
        rate = _RATE.fullmatch(text.strip())
        if rate is None or not domain.strip():
            raise ImproperlyConfigured("DOMAIN_RATES must be a list such as gmail.com=20/s,yahoo.com=5000/h,*=50/s.")
        rates.setdefault(domain.strip().lower(), []).append(config.Rate(int(rate[1]), SECONDS[rate[2]]))
    return rates


def warm_up(entries: list[str]) -> dict[str, config.WarmUp]:
    """`news.example.org=2026-11-22:200:1.5`: by sender's domain; the day is UTC's."""
    return dict(_warm_up(entry) for entry in entries)


def _warm_up(entry: str) -> tuple[str, config.WarmUp]:
    domain, _, text = entry.partition("=")
    try:
        first, count, growth = text.split(":")
        plan = config.WarmUp(date.fromisoformat(first.strip()), int(count), float(growth))
    except ValueError:
        plan = config.WarmUp(date.min, 0, 0.0)
    if not domain.strip() or plan.copies < 1 or not 1 <= plan.growth <= 10:
        raise ImproperlyConfigured(
            "WARMUP must be a list such as news.example.org=2026-11-22:200:1.5: "
            "the sender's domain, the first day, the copies of that day, and how much each day grows (1 to 10)."
        )
    return domain.strip().lower(), plan


def hours(text: str) -> tuple[time, time] | None:
    """`07:00-21:30`, also over midnight; None for an empty text: issues leave at any hour."""
    if not text.strip():
        return None
    match = _HOURS.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        window = time.fromisoformat(match[1]), time.fromisoformat(match[2])
    except ValueError:
        window = (time.min, time.min)
    if window[0] == window[1]:
        raise ImproperlyConfigured("SEND_HOURS must be two different hours, as in 07:00-21:30.")
    return window
