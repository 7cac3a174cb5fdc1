"""Reads the numbers of the sending engine: settings.SENDING. Each mistake stops the program with a sentence."""

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from newsroom import env

# A task of the worker is cut off after CELERY_TASK_SOFT_TIME_LIMIT; a lane and its last answer must fit into it.
TASK_SECONDS: Final = 270
RETRIES = "1,5,15,60,240"


def sending() -> dict[str, Any]:
    """Every number of the engine, as the environment says or its default."""
    numbers: dict[str, Any] = {
        "COPIES_IN_FLIGHT": env.number("COPIES_IN_FLIGHT", 50, least=1, most=1_000),
        # How many copies are planned before the first of them leaves; digests.sending.audience has the rest.
        "FIRST_PORTION": env.number("FIRST_PORTION", 100_000, least=1, most=1_000_000),
        "LANES": env.number("LANES", 2, least=1, most=100),
        # A lease outlasts the slowest honest hand-over of a batch, or copies become uncertain for nothing.
        "LEASE_SECONDS": env.number("LEASE_SECONDS", 120, least=1, most=3_600),
        "LANE_SECONDS": env.number("LANE_SECONDS", 60, least=1, most=TASK_SECONDS),
        "CONNECTIONS": env.number("CONNECTIONS", 4, least=1, most=200),
        "MESSAGES_PER_CONNECTION": env.number("MESSAGES_PER_CONNECTION", 100, least=1, most=1_000_000),
        "BREAKER_CONSECUTIVE": env.number("BREAKER_CONSECUTIVE", 20, least=1, most=100_000),
        "BREAKER_SHARE": env.number("BREAKER_PERCENT", 5, least=1, most=100) / 100,
        "MAX_AGE_HOURS": env.number("MAX_AGE_HOURS", 24, least=1, most=720),
        "RETRY_MINUTES": retries(env.text("RETRY_MINUTES", RETRIES)),
        "TIMEOUTS": {
            "connect": env.number("SMTP_CONNECT_SECONDS", 10, least=1, most=TASK_SECONDS),
            "command": env.number("SMTP_COMMAND_SECONDS", 60, least=1, most=TASK_SECONDS),
            "final": env.number("SMTP_FINAL_SECONDS", 120, least=1, most=TASK_SECONDS),
        },
    }
    if numbers["LANE_SECONDS"] + sum(numbers["TIMEOUTS"].values()) > TASK_SECONDS:
        raise ImproperlyConfigured(
            "LANE_SECONDS, SMTP_CONNECT_SECONDS, SMTP_COMMAND_SECONDS and SMTP_FINAL_SECONDS must together be "
            f"{TASK_SECONDS} or less: a worker cuts off a task that takes longer."
        )
    return numbers


def retries(text: str) -> list[int]:
    """`1,5,15,60,240`: minutes until a deferred copy is tried again, after its first, second... attempt."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1_440 for part in parts):
        raise ImproperlyConfigured(
            f"RETRY_MINUTES must be minutes from 1 to 1440 with commas between, as in {RETRIES}."
        )
    return [int(part) for part in parts]
