"""Reads the numbers of the sending engine: settings.SENDING. Each mistake stops the program with a sentence."""

from typing import Final

from django.core.exceptions import ImproperlyConfigured

from newsroom import env, rate_settings
from postal import config

# A task of the worker is cut off after CELERY_TASK_SOFT_TIME_LIMIT; a lane and its last answer must fit into it.
TASK_SECONDS: Final = 270
RETRIES = "1,5,15,60,240"


def sending() -> config.Sending:
    """Every number of the engine, as the environment says or its default."""
    numbers = config.Sending(
        copies_in_flight=env.number("COPIES_IN_FLIGHT", 50, least=1, most=1_000),
        lanes=env.number("LANES", 2, least=1, most=100),
        # A lease outlasts the slowest honest hand-over of a batch, or copies become uncertain for nothing.
        lease_seconds=env.number("LEASE_SECONDS", 120, least=1, most=3_600),
        lane_seconds=env.number("LANE_SECONDS", 60, least=1, most=TASK_SECONDS),
        connections=env.number("CONNECTIONS", 4, least=1, most=200),
        messages_per_connection=env.number("MESSAGES_PER_CONNECTION", 100, least=1, most=1_000_000),
        breaker_consecutive=env.number("BREAKER_CONSECUTIVE", 20, least=1, most=100_000),
        breaker_share=env.number("BREAKER_PERCENT", 5, least=1, most=100) / 100,
        max_age_hours=env.number("MAX_AGE_HOURS", 24, least=1, most=720),
        late_hours=env.number("READERS_HOUR_LATE", 3, least=1, most=12),
        retry_minutes=retries(env.text("RETRY_MINUTES", RETRIES)),
        timeouts=config.Timeouts(
            connect_seconds=env.number("SMTP_CONNECT_SECONDS", 10, least=1, most=TASK_SECONDS),
            command_seconds=env.number("SMTP_COMMAND_SECONDS", 60, least=1, most=TASK_SECONDS),
            final_seconds=env.number("SMTP_FINAL_SECONDS", 120, least=1, most=TASK_SECONDS),
        ),
    )
    if numbers.lane_seconds + numbers.timeouts.total_seconds > TASK_SECONDS:
        raise ImproperlyConfigured(
            "LANE_SECONDS, SMTP_CONNECT_SECONDS, SMTP_COMMAND_SECONDS and SMTP_FINAL_SECONDS must together be "
            f"{TASK_SECONDS} or less: a worker cuts off a task that takes longer."
        )
    return numbers


def retries(text: str) -> tuple[int, ...]:
    """`1,5,15,60,240`: minutes until a deferred copy is tried again, after its first, second... attempt."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1_440 for part in parts):
        raise ImproperlyConfigured(
            f"RETRY_MINUTES must be minutes from 1 to 1440 with commas between, as in {RETRIES}."
        )
    return tuple(int(part) for part in parts)


def pacing(*, testing: bool, processes: int) -> config.Pacing:
    """The limits that the environment asks for; none in tests, which say what they want."""
    return config.Pacing(
        per_second=0 if testing else env.number("RATE_PER_SECOND", 0),
        per_hour=0 if testing else env.number("RATE_PER_HOUR", 0),
        domains={} if testing else rate_settings.domain_rates(env.names("DOMAIN_RATES", [])),
        warm_up={} if testing else rate_settings.warm_up(env.names("WARMUP", [])),
        hours=None if testing else rate_settings.hours(env.text("SEND_HOURS")),
        # While Redis is away a limit is divided by this number of processes, or by the number last seen.
        processes=processes,
    )
