"""Bare addresses are links, struck words are struck, and tasks are done or not: on the page, in mails and in text."""

import pytest
from bs4 import BeautifulSoup

from mailkit import html

pytestmark = pytest.mark.slow


def links(markdown: str) -> list[tuple[str, str]]:
    """(text, address) of each link."""
    links = BeautifulSoup(html.render(markdown, profile="article").html, "html5lib").find_all("a")
    return [(link.get_text(), str(link["href"])) for link in links]


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("See https://x.test.", "https://x.test"),
        ("See https://x.test/a/, and more", "https://x.test/a/"),
        ("(https://x.test/a)", "https://x.test/a"),
        ("https://x.test/Gold_(metal)", "https://x.test/Gold_(metal)"),
        ("(see https://x.test/Gold_(metal))", "https://x.test/Gold_(metal)"),
        ("https://x.test/a?b=1&c=2#d!", "https://x.test/a?b=1&c=2#d"),
        ("https://x.test/__init__.py has *so* much", "https://x.test/__init__.py"),
        ("https://x.test/a--b...c/", "https://x.test/a--b...c/"),
        ("https://x.test/*a*/", "https://x.test/*a*/"),
        ("**https://x.test/a**", "https://x.test/a"),
        ("*https://x.test/a*", "https://x.test/a"),
        ("«https://x.test/a»", "https://x.test/a"),
        ('"https://x.test/a"', "https://x.test/a"),
        ("“https://x.test/a”", "https://x.test/a"),
        ("Смотри https://пример.test/путь.", "https://пример.test/путь"),
        ("见https://x.test/路径。", "https://x.test/路径"),
        ("HTTPS is not; Https://x.test/ is", "Https://x.test/"),
        ("| a | b |\n|---|---|\n| https://x.test/a | c |", "https://x.test/a"),
        ("- https://x.test/a\n- b", "https://x.test/a"),
        ("# https://x.test/a", "https://x.test/a"),
        ("<b>https://x.test/a</b>", "https://x.test/a"),
        ("`code` https://x.test/a", "https://x.test/a"),
    ],
)
def test_a_bare_address_is_a_link_and_what_stands_behind_it_is_not(markdown: str, shown: str) -> None:
    assert links(markdown) == [(shown, shown)]


def test_addresses_without_a_scheme_get_one() -> None:
    assert links("www.x.test/a, or desk@x.test.") == [
        ("www.x.test/a", "http://www.x.test/a"),
        ("desk@x.test", "mailto:desk@x.test"),
    ]


@pytest.mark.parametrize(
    "markdown",
    [
        "`https://x.test`",
        "```\nhttps://x.test\n```",
        "    https://x.test",
        "https://",
        "http:// x",
        "https://user:secret@x.test/",
        "javascript:alert(1)",
        "www.",
        "www.x",
        "@x.test",
        "a@b",
        "xhttps://x.test",
        "ftp://x.test",
    ],
)
def test_what_is_no_link_stays_as_it_is(markdown: str) -> None:
    assert links(markdown) == []


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[https://x.test](https://y.test)", [("https://x.test", "https://y.test")]),
        ("[see www.x.test here](https://y.test)", [("see www.x.test here", "https://y.test")]),
        ("<https://x.test>", [("https://x.test", "https://x.test")]),
        ("<desk@x.test>", [("desk@x.test", "mailto:desk@x.test")]),
        ("[a]\n\n[a]: https://x.test", [("a", "https://x.test")]),
        ('<a href="https://y.test">https://x.test</a>', [("https://x.test", "https://y.test")]),
        ('<a href="https://y.test"><b>https://x.test</b></a> www.z.test', [
            ("https://x.test", "https://y.test"), ("www.z.test", "http://www.z.test"),
        ]),
    ],
)  # fmt: skip
def test_a_link_within_a_link_is_none(markdown: str, expected: list[tuple[str, str]]) -> None:
    assert links(markdown) == expected


def test_struck_words() -> None:
    rendered = html.render("It is ~~9~~ 10 som, ~5 km~ off; ~~a *b* c~~ d~~e ~~ f", profile="article")
    assert rendered.html == ("<p>It is <del>9</del> 10 som, ~5 km~ off; <del>a <em>b</em> c</del> d~~e ~~ f</p>")
    assert rendered.text == "It is ~~9~~ 10 som, ~5 km~ off; ~~a b c~~ d~~e ~~ f"


def test_tasks() -> None:
    rendered = html.render("- [ ] to do\n- [x] **done**\n- [X] done, too\n- [y] no\n\n1. [ ] a", profile="article")
    assert rendered.html == (
        '<ul>\n<li class="task">☐ to do</li>\n<li class="task">☑ <strong>done</strong></li>\n'
        '<li class="task">☑ done, too</li>\n<li>[y] no</li>\n</ul>\n<ol>\n<li class="task">☐ a</li>\n</ol>'
    )
    assert rendered.text.startswith("- ☐ to do\n- ☑ done\n")


def test_abbreviations_are_found_in_words_that_hold_nothing_else() -> None:
    rendered = html.render("NBK\n\n| NBK |\n|---|\n| NBK |\n\n*[NBK]: National Bank", profile="article").html
    assert rendered.count('<abbr title="National Bank">NBK</abbr>') == 3
