"""A signed link is good for one purpose, for as long as it should be, and for nothing else."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from mailkit import tokens

PAYLOAD: dict[str, str | int] = {"s": "4f9b2c1e-0000-4000-8000-123456789abc", "n": 7, "v": 1}


def test_what_was_signed_is_read_back_and_fits_into_a_path() -> None:
    token = tokens.sign(purpose="confirm", payload=PAYLOAD)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    assert len(token) < 300
    assert tokens.read(token, purpose="confirm", max_age=timedelta(hours=72)) == PAYLOAD


def test_another_purpose_reads_nothing() -> None:
    token = tokens.sign(purpose="unsubscribe", payload=PAYLOAD)
    with pytest.raises(tokens.BadToken) as caught:
        tokens.read(token, purpose="preferences", max_age=None)
    assert not caught.value.expired


def test_too_old_is_told_apart() -> None:
    with time_machine.travel(datetime(2025, 5, 6, 9, 0, tzinfo=UTC), tick=False):
        token = tokens.sign(purpose="confirm", payload=PAYLOAD)
    with time_machine.travel(datetime(2025, 5, 9, 8, 59, tzinfo=UTC), tick=False):
        assert tokens.read(token, purpose="confirm", max_age=timedelta(hours=72)) == PAYLOAD
    with time_machine.travel(datetime(2025, 5, 9, 9, 1, tzinfo=UTC), tick=False):
        with pytest.raises(tokens.BadToken) as caught:
            tokens.read(token, purpose="confirm", max_age=timedelta(hours=72))
        assert caught.value.expired
        assert tokens.read(token, purpose="confirm", max_age=None) == PAYLOAD


def test_a_forgery_that_is_also_old_is_only_a_forgery() -> None:
    with time_machine.travel(datetime(2020, 1, 1, tzinfo=UTC)):
        token = tokens.sign(purpose="confirm", payload=PAYLOAD)
    with pytest.raises(tokens.BadToken) as caught:
        tokens.read(token[:-1] + ("A" if token[-1] != "A" else "B"), purpose="confirm", max_age=timedelta(hours=1))
    assert not caught.value.expired


def test_outlives_a_rotation_of_the_key(settings: Settings) -> None:
    old = settings.SECRET_KEY
    token = tokens.sign(purpose="unsubscribe", payload=PAYLOAD)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new key", [old]
    assert tokens.read(token, purpose="unsubscribe", max_age=None) == PAYLOAD
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(tokens.BadToken):
        tokens.read(token, purpose="unsubscribe", max_age=None)


def test_every_changed_character_is_noticed() -> None:
    token = tokens.sign(purpose="confirm", payload=PAYLOAD)
    for position in range(len(token)):
        changed = token[:position] + ("x" if token[position] != "x" else "y") + token[position + 1 :]
        with pytest.raises(tokens.BadToken):
            tokens.read(changed, purpose="confirm", max_age=None)


@given(st.text(max_size=60))
def test_no_text_is_a_token(text: str) -> None:
    with pytest.raises(tokens.BadToken):
        tokens.read(text, purpose="confirm", max_age=None)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é.ü.ß", "\x00", "x" * 100_000, ".eJw.1.x"])
def test_odd_texts_are_no_tokens(text: str) -> None:
    with pytest.raises(tokens.BadToken, match=r"^The link is not valid.$"):
        tokens.read(text, purpose="confirm", max_age=None)


def test_an_address_is_never_signed() -> None:
    with pytest.raises(ValueError, match="uuid"):
        tokens.sign(purpose="confirm", payload={"to": "reader@example.com"})


def test_a_token_is_what_django_s_signer_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.5)
    payload: dict[str, str | int] = {"s": "0af1", "n": 17}
    assert tokens.sign(purpose="unsubscribe", payload=payload) == tokens._signer("unsubscribe").sign_object(payload)
