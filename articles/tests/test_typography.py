"""What a headline looks like that was typed on any keyboard."""

import pytest

from articles import typography

TABLE = [
    ("en", 'Minister says "no" to the plan', "Minister says “no” to the\u00a0plan"),
    ("en", "It's 'over', say the banks of the '90s", "It’s ‘over’, say the banks of the\u00a0’90s"),
    ("en", "Prices fall - and rise -- again in May", "Prices fall\u00a0– and rise\u00a0– again in\u00a0May"),
    ("en", "Budget 2024-2025: what is new...", "Budget 2024–2025: what is\u00a0new…"),
    ("en", "The call of 555-01-99 and of COVID-19", "The call of 555-01-99 and of\u00a0COVID-19"),
    ("ru", 'Банк "Север" в Бишкеке - за рубль', "Банк «Север» в\u00a0Бишкеке\u00a0— за\u00a0рубль"),
    ("ky", 'Банк "Ала-Тоо" жаңы үмүт берди', "Банк «Ала-Тоо» жаңы үмүт\u00a0берди"),
    ("de", "Die \"alte\" Bank sagt 'nein' dazu", "Die „alte“ Bank sagt ‚nein‘\u00a0dazu"),
    ("en", "“Right” as it is", "“Right” as it\u00a0is"),
    ("en", "Two words", "Two words"),
    ("en", "A word of internationalisationists", "A word of internationalisationists"),
    ("tlh", 'He said "yes" to all of it', "He said “yes” to all of\u00a0it"),
]


@pytest.mark.parametrize(("language", "typed", "seen"), TABLE)
def test_a_headline_is_set_as_its_language_is_written(language: str, typed: str, seen: str) -> None:
    assert typography.headline(typed, language) == seen
    assert typography.headline(seen, language) == seen
