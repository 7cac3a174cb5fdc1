"""Hostile Markdown is refused with a sentence, within the time that the setting gives."""

import pytest
from pytest_django import Settings

from mailkit import html

pytestmark = [pytest.mark.slow, pytest.mark.sandboxed]

PARAGRAPH = 'The quick *brown* fox, [a link](https://x.test/a) and "quotes".\n\n'

# Measured: each of these keeps Python-Markdown or the HTML parser busy for seconds to minutes.
QUADRATIC = {
    "brackets": "[" * 20_000,
    "pictures": "![" * 10_000,
    "links": "[a](" * 10_000,
    "cdata": "<![CDATA[" * 2_000,
    "tags": "<a " * 20_000,
    "elements": "<div>" * 100_000,
    "long": PARAGRAPH * 15_000,
}


@pytest.fixture
def as_deployed(settings: Settings) -> float:
    """The limit as a deployment has it."""
    return float(settings.MARKUP_SECONDS)


@pytest.fixture(autouse=True)
def _a_slow_machine_has_time(as_deployed: float, settings: Settings) -> None:
    """Where the clock is not what a test is about, a loaded machine must not decide it."""
    settings.MARKUP_SECONDS = 60.0


@pytest.mark.parametrize("name", QUADRATIC)
def test_quadratic_input_is_cut_off(settings: Settings, name: str) -> None:
    settings.MARKUP_SECONDS = 0.5
    with pytest.raises(html.MarkupRefused, match=r"took too long to convert\. Please"):
        html.render(QUADRATIC[name], profile="article")


def test_the_limit_is_five_seconds(as_deployed: float) -> None:
    assert as_deployed == 5


def test_a_list_500_deep_is_refused() -> None:
    """Python-Markdown itself ends in a RecursionError here."""
    with pytest.raises(html.MarkupRefused, match="nested too deeply"):
        html.render("".join("    " * depth + "- a\n" for depth in range(500)), profile="article")


@pytest.mark.parametrize(
    ("deepest", "too_deep"),
    [
        (">" * 50 + " a", ">" * 51 + " a"),
        *[
            (
                "".join("    " * depth + "- a\n" for depth in range(50)),
                "".join("    " * depth + "- a\n" for depth in range(51)),
            ),
            ("<b>" * 50 + "a" + "</b>" * 50, "<b>" * 51 + "a" + "</b>" * 51),
        ],
    ],
)
def test_fifty_levels_are_possible_and_no_more(deepest: str, too_deep: str) -> None:
    assert html.render(deepest, profile="article").text.strip(" >-\n")
    with pytest.raises(html.MarkupRefused, match="nested too deeply"):
        html.render(too_deep, profile="article")


CELL = "| a | b |\n"
HEAD = CELL + "|---|---|\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            HEAD + "| first |\n\nOne.\n\n" + HEAD + CELL * 1_000,
            "Line 7: The table has more than 1,000 rows, which is the limit. Divide it, or offer it as a file",
        ),
        (
            "> " + "|a" * 100 + "\n> " + "|-" * 100 + "\n" + ("> " + "|a" * 100 + "\n") * 100,
            "Line 1: The table has more than 10,000 cells, which is the limit.",
        ),
        ("|a" * 20_000 + "\n" + "|-" * 20_000, "Line 1: The table has more than 10,000 cells"),
        (
            "- a\n" * 3_001,
            "The text has more than 3,000 list items, which is the limit. Divide it",
        ),
        (">" * 100_000 + "a", "nested too deeply: at most 50 lists"),
    ],
    ids=["rows", "cells", "columns", "items", "quotations"],
)
def test_a_limit_is_named_with_its_line_and_what_to_do(text: str, sentence: str) -> None:
    with pytest.raises(html.MarkupRefused, match=sentence):
        html.render(text, profile="article")


@pytest.mark.parametrize("text", [HEAD + CELL * 999, "- a\n" * 3_000], ids=["rows", "items"])
def test_as_much_as_the_limit_is_shown(text: str) -> None:
    assert html.render(text, profile="article").html.count("a") > 900


def test_one_megabyte_is_possible_and_no_more() -> None:
    line = "x" * 99 + "\n"
    assert html.render(line * 10_000, profile="article").html
    with pytest.raises(html.MarkupRefused, match="too long"):
        html.render(line * 10_000 + "x", profile="article")
    with pytest.raises(html.MarkupRefused, match="too long"):
        html.render("é" * 500_001, profile="article")


def test_a_child_out_of_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MEGABYTES", 8)
    with pytest.raises(html.MarkupRefused, match="could not be converted"):
        html.render("x" * 900_000, profile="article")


@pytest.mark.parametrize("text", ["", " \n", "\x00\x01\x02\x03", "\ud800", "\u2028", "🇰🇬", "&#0;&#x110000;", "\\"])
def test_odd_texts_are_rendered(text: str) -> None:
    rendered = html.render(text, profile="article")
    assert not set(rendered.html) & set(map(chr, [*range(9), 11, 12, *range(14, 32)]))
