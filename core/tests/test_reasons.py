"""Reasons: a code and parameters in the row, a sentence for the one who reads it."""

from django.db import models

from core.reasons import Catalogue, Reason


class Why(models.TextChoices):
    """Two reasons."""

    FULL = "full", "It is full."
    AWAY = "away", "It is away."


CATALOGUE = Catalogue(Why, sentences={Why.FULL: "It is full: %(said)s"})


def test_the_sentence_is_made_of_the_code_and_its_parameters() -> None:
    cases = [
        (Reason(), ""),
        (Reason(Why.AWAY), "It is away."),
        (Reason(Why.FULL, {"said": "552 100% full"}), "It is full: 552 100% full"),
        # A parameter is missing, or the row was written by a newer version.
        (Reason(Why.FULL), "It is full."),
        (Reason(Why.FULL, {"text_of_old": "552"}), "It is full."),
        (Reason("newer", {"x": 1}), "newer"),
        (Reason("other", {"text": "100% of %(said)s"}), "100% of %(said)s"),
        (Reason(Why.FULL, {"text": "as somebody wrote it"}), "as somebody wrote it"),
    ]
    for reason, sentence in cases:
        columns = reason.columns()
        assert CATALOGUE.sentence(columns["reason"], columns["reason_parameters"]) == sentence


def test_other_peoples_words_are_stored_as_one_short_line() -> None:
    stored = Reason(Why.FULL, {"said": "a\x00b\r\nc" + "x" * 999, "count": 3}).columns("state_reason")
    assert stored["state_reason"] == "full"
    assert stored["state_reason_parameters"]["said"].startswith("ab cxxx")
    assert len(stored["state_reason_parameters"]["said"]) == 300
    assert stored["state_reason_parameters"]["count"] == 3
    assert Reason(Why.AWAY).columns() == {"reason": "away", "reason_parameters": None}
