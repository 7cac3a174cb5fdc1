"""Markdown as people write it on GitHub, in Ghost and in Buttondown comes out as they see it there."""

from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mailkit import html, markup_child, sanitising

PLACE = sanitising.Place(site_url="https://news.test", media_url="/media/")
COMMONMARK = MarkdownIt("commonmark")
BLOCKS = frozenset("ul ol pre blockquote p h1 h2 hr table dl".split())
BANKS = """\
We looked at three banks:
- the national bank
  - its reserve
  - its gold
- the market banks
- the rest

1. First
   * one
   * two
2. Second

   More about the second.

3. Third
"""


def rendered(markdown: str) -> str:
    return markup_child.render(markdown, profile="article", place=PLACE).html


def shape(markup: str) -> list[Any]:
    """The nesting of words, code, quotations and list items, without the spacing between them."""
    return _parts(BeautifulSoup(markup, "html.parser"))


def _parts(node: Tag) -> list[Any]:
    page: list[Any] = []
    words: list[str] = []
    for child in [*node.children, None]:
        if isinstance(child, Tag) and child.name not in BLOCKS:
            words.append(child.get_text())
        elif isinstance(child, NavigableString):
            words.append(str(child))
        else:
            page += [text] if (text := " ".join("".join(words).split())) else []
            page += [_part(child)] if isinstance(child, Tag) else []
            words = []
    return page


def _part(node: Tag) -> Any:
    if node.name in {"ul", "ol"}:
        items = [_parts(item) for item in node.find_all("li", recursive=False)]
        return [node.name, str(node.get("start", "")), items]
    if node.name == "blockquote":
        return ["quote", _parts(node)]
    if node.name == "pre":
        return ["code", node.get_text().rstrip("\n")]
    return "* * *" if node.name == "hr" else " ".join(node.get_text().split())


def test_lists_below_a_paragraph_and_one_numbered_list_through_everything() -> None:
    assert shape(rendered(BANKS)) == [
        "We looked at three banks:",
        [
            "ul",
            "",
            [
                ["the national bank", ["ul", "", [["its reserve"], ["its gold"]]]],
                ["the market banks"],
                ["the rest"],
            ],
        ],
        ["ol", "", [["First", ["ul", "", [["one"], ["two"]]]], ["Second", "More about the second."], ["Third"]]],
    ]


def test_the_text_part_says_the_same() -> None:
    assert html.render(BANKS, profile="article").text == (
        "We looked at three banks:\n\n- the national bank\n  - its reserve\n  - its gold\n- the market banks\n"
        "- the rest\n\n1. First\n   - one\n   - two\n\n2. Second\n\n   More about the second.\n\n3. Third"
    )


@pytest.mark.parametrize("blanks", [2, 3, 4])
@pytest.mark.parametrize("bullet", ["-", "*", "+"])
def test_a_level_is_two_blanks_or_three_or_four(blanks: int, bullet: str) -> None:
    lines = [f"{' ' * blanks * depth}{bullet} level {depth}" for depth in range(4)]
    expected: list[Any] = ["ul", "", [["level 3"]]]
    for depth in (2, 1, 0):
        expected = ["ul", "", [[f"level {depth}", expected]]]
    assert shape(rendered("Above:\n" + "\n".join(lines))) == ["Above:", expected]


@pytest.mark.parametrize("blanks", [2, 3, 4])
def test_bullets_belong_to_the_number_above_them(blanks: int) -> None:
    item = f"1. one\n{' ' * blanks}- a\n{' ' * blanks}- b\n2. two\n"
    assert shape(rendered(item)) == [["ol", "", [["one", ["ul", "", [["a"], ["b"]]]], ["two"]]]]


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("1) one\n2) two", [["ol", "", [["one"], ["two"]]]]),
        ("3. three\n4. four", [["ol", "3", [["three"], ["four"]]]]),
        ("The year was\n1986. A good one.", ["The year was 1986. A good one."]),
        ("- a\n1. b", [["ul", "", [["a"]]], ["ol", "", [["b"]]]]),
        ("- a\nstill a\n- b", [["ul", "", [["a still a"], ["b"]]]]),
        ("- a\n\nAfter.", [["ul", "", [["a"]]], "After."]),
        ("- a\n# Head", [["ul", "", [["a"]]], "Head"]),
        ("- a\n\n- b\n\n\n- c", [["ul", "", [["a"], ["b"], ["c"]]]]),
        ("> - a\n>   - b\n>\n> - c", [["quote", [["ul", "", [["a", ["ul", "", [["b"]]]], ["c"]]]]]]),
        ("a\n***\nb", ["a", "* * *", "b"]),
        ("* * *", ["* * *"]),
        ("- a\n- - -\n- b", [["ul", "", [["a"]]], "* * *", ["ul", "", [["b"]]]]),
        ("    - code\n", [["code", "- code"]]),
        ("2020-2021 was\n-5 degrees", ["2020-2021 was -5 degrees"]),
        ("**Bold** words\n*so*", ["Bold words so"]),
        ("Head\n---\n- a", ["Head", ["ul", "", [["a"]]]]),
        ("- a\n-\n- b", [["ul", "", [["a"], [], ["b"]]]]),
        ("A\n| x | y |\n|---|---|\n| 1 | 2 |", ["A", "x y 1 2"]),
        ("<pre>\n- a\n  - b\n</pre>\n\n- c\n  - d", [["code", "- a\n  - b"], ["ul", "", [["c", ["ul", "", [["d"]]]]]]]),
    ],
)
def test_what_is_a_list_and_what_is_not(markdown: str, expected: list[Any]) -> None:
    assert shape(rendered(markdown)) == expected


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_code_stands_in_items_and_quotations_as_it_was_typed(fence: str) -> None:
    code = "if a < b:\n\n    - <div>&amp;</div>\n\n  1. x"
    for prefix, first in (("", ""), ("  ", "- "), ("   ", "1. "), ("> ", "> ")):
        lines = [f"{prefix}{line}".rstrip() for line in (f"{fence}python", *code.split("\n"), fence)]
        lines[0] = first + lines[0].removeprefix(prefix)
        page = BeautifulSoup(rendered("Text:\n" + "\n".join(lines) + f"\n{prefix}after"), "html.parser")
        assert page.code is not None
        assert page.code.get_text() == f"{code}\n"
        assert page.code["class"] == ["language-python"]
        assert "after" not in page.code.get_text()


def test_code_without_an_end_ends_with_its_item_or_with_the_text() -> None:
    assert shape(rendered("- a\n  ```\n  x\n\n- b")) == [["ul", "", [["a", ["code", "x"]], ["b"]]]]
    assert shape(rendered("a\n```\nx\n\ny\n")) == ["a", ["code", "x\n\ny"]]


words = st.integers(1, 99).map(lambda number: f"w{number}")


@st.composite
def lists(draw: st.DrawFn, margin: int = 0, levels: int = 4) -> list[str]:
    """A list as somebody might type it, with all that may stand in an item."""
    numbered, gap, loose = draw(st.booleans()), draw(st.integers(1, 3)), draw(st.booleans())
    lines: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        marker = f"{number + 1}." if numbered else "-"
        lines += [""] if number and loose else []
        lines.append(f"{' ' * margin}{marker}{' ' * gap}{draw(words)}")
        within = margin + len(marker) + gap
        for _ in range(draw(st.integers(0, 2))):
            lines += draw(contents(within, levels))
    return lines


def contents(within: int, levels: int) -> st.SearchStrategy[list[str]]:
    """What may stand in an item whose text begins at that column."""
    blanks = " " * within
    kinds = [
        words.map(lambda word: [blanks + word]),
        words.map(lambda word: [word]),
        words.map(lambda word: ["", blanks + word]),
        words.map(lambda word: [f"{blanks}> {word}"]),
        words.map(lambda word: [f"{blanks}```", blanks + word, "", f"{blanks}  - {word}", f"{blanks}```"]),
    ]
    if levels:
        kinds += [lists(within, levels - 1), lists(within, levels - 1).map(lambda lines: ["", *lines])]
    return st.one_of(*kinds)


paragraphs = words.map(lambda word: [word])
headings = words.map(lambda word: [f"# {word}"])
texts = st.lists(st.one_of(lists(), paragraphs, headings, st.just([""])), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_it_is_what_commonmark_makes_of_it(blocks: list[list[str]]) -> None:
    markdown = "\n".join(line for block in blocks for line in block) + "\n"
    assert shape(rendered(markdown)) == shape(COMMONMARK.render(markdown))
