"""Each number of the engine is read from the environment within its bounds; a mistake gives one sentence."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from newsroom import sending_settings
from postal import config

NUMBERS = (
    "COPIES_IN_FLIGHT", "LANES", "LEASE_SECONDS", "LANE_SECONDS", "CONNECTIONS", "MESSAGES_PER_CONNECTION",
    "BREAKER_CONSECUTIVE", "MAX_AGE_HOURS",
)  # fmt: skip
OTHERS = ("BREAKER_PERCENT", "RETRY_MINUTES", "SMTP_CONNECT_SECONDS", "SMTP_COMMAND_SECONDS", "SMTP_FINAL_SECONDS")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NUMBERS, *OTHERS):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_can_be_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "7")
    assert getattr(sending_settings.sending(), name.lower()) == 7


def test_shares_retries_and_timeouts_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "BREAKER_PERCENT": "8", "RETRY_MINUTES": "2, 30", "SMTP_CONNECT_SECONDS": "1",
        "SMTP_COMMAND_SECONDS": "2", "SMTP_FINAL_SECONDS": "3",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    sending = sending_settings.sending()
    assert (sending.breaker_share, sending.retry_minutes) == (0.08, (2, 30))
    assert sending.timeouts == config.Timeouts(connect_seconds=1, command_seconds=2, final_seconds=3)


@pytest.mark.parametrize("name", [*NUMBERS, "BREAKER_PERCENT", "SMTP_FINAL_SECONDS"])
@pytest.mark.parametrize("value", ["0", "many", "-1", "9" * 9, "9" * 5_000])
def test_a_number_out_of_bounds_is_refused_with_its_bounds(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} must be a whole number from 1 to \d+\.$"):
        sending_settings.sending()


@pytest.mark.parametrize("value", ["", "1,,5", "0", "1;5", "1,1441", "soon"])
def test_retries_that_make_no_sense_are_refused_with_an_example(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("RETRY_MINUTES", value)
    with pytest.raises(ImproperlyConfigured, match=r"RETRY_MINUTES must be .* as in 1,5,15,60,240\.$"):
        sending_settings.sending()


def test_a_lane_must_fit_into_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANE_SECONDS", "200")
    with pytest.raises(ImproperlyConfigured, match="must together be 270 or less"):
        sending_settings.sending()
