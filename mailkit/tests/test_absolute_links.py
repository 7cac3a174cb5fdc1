"""Away from its page, a story has whole addresses only, and is otherwise the same story."""

import re
from html import escape
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from mailkit import absolute_links, html

PAGE = "https://news.test/articles/dam/"
MARKDOWN = (
    "# Head\n\nText & *more* <br> of `<b>` it.[^1]\n\n"
    "See [the head](#part-head), [a page](/about/) & [b](../b/?x=1&y=2).\n\n"
    '<figure><img src="/media/a-960.jpg" srcset="/media/a-480.jpg 480w, /media/a-960.jpg 960w" sizes="100vw" '
    'alt="A &quot;dam&quot; & <more>" width="1600" height="1067" loading="lazy"></figure>\n\n'
    "| A | B |\n|---|--:|\n| 1 | 2 |\n\n[^1]: A note, 5 < 6&nbsp;%.\n"
)
RENDERED = html.render(MARKDOWN, profile="article").html


def addresses(markup: str) -> list[str]:
    written_addresses = []
    for tag in BeautifulSoup(markup, "html5lib").find_all(True):
        written_addresses += [str(tag[name]) for name in absolute_links.ADDRESSES if tag.has_attr(name)]
        for name in absolute_links.ADDRESS_LISTS:
            if tag.has_attr(name):
                written_addresses += [candidate.split()[0] for candidate in str(tag[name]).split(", ")]
    return written_addresses


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/articles/b/", "https://news.test/articles/b/"),
        ("../b/", "https://news.test/articles/b/"),
        ("b/", "https://news.test/articles/dam/b/"),
        ("?page=2", "https://news.test/articles/dam/?page=2"),
        ("#note-fn-1", "https://news.test/articles/dam/#note-fn-1"),
        ("//other.test/x", "https://other.test/x"),
        ("https://other.test/x?a=1&b=2#c", "https://other.test/x?a=1&b=2#c"),
        ("mailto:desk@news.test", "mailto:desk@news.test"),
    ],
)
@pytest.mark.parametrize("name", sorted(absolute_links.ADDRESSES))
def test_each_address_is_joined_to_the_page(name: str, given: str, expected: str) -> None:
    source = BeautifulSoup("<p></p>", "html.parser").new_tag("x", attrs={name: given})
    written = BeautifulSoup(absolute_links.make_absolute(str(source), page_url=PAGE), "html.parser")
    assert written.x is not None
    assert written.x[name] == expected


@pytest.mark.parametrize("name", sorted(absolute_links.ADDRESS_LISTS))
@pytest.mark.parametrize(
    "given", ["/a.jpg 480w, /b.jpg 960w", "/a.jpg 480w,\n /b.jpg  960w,", " /a.jpg 480w,/b.jpg 960w"]
)
def test_so_is_each_of_a_list(name: str, given: str) -> None:
    written = absolute_links.make_absolute(f'<img {name}="{given}">', page_url=PAGE)
    assert written == f'<img {name}="https://news.test/a.jpg 480w, https://news.test/b.jpg 960w">'


def test_what_is_no_address_at_all_goes() -> None:
    assert absolute_links.make_absolute('<a href="http://[" title="x">y</a>', page_url=PAGE) == '<a title="x">y</a>'


@given(st.text(max_size=200))
def test_all_else_is_as_it_was(text: str) -> None:
    """Written by the sanitiser, read and written here: the same characters."""
    for source in (RENDERED, f'<p title="{escape(text)}">{escape(text)}</p>'):
        assert absolute_links.rewrite(source, lambda _tag, attributes: attributes) == source


def test_a_whole_story_has_a_scheme_in_every_address() -> None:
    for written in (
        absolute_links.make_absolute(RENDERED, page_url=PAGE),
        absolute_links.for_mail(RENDERED, page_url=PAGE, width=576),
    ):
        written_addresses = addresses(written)
        assert len(written_addresses) >= 6
        assert {urlsplit(address).scheme for address in written_addresses} == {"https"}
        assert BeautifulSoup(written, "html5lib").get_text() == BeautifulSoup(RENDERED, "html5lib").get_text()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ('width="1600" height="1067"', {"width": "576", "height": "384"}),
        ('width="1600"', {"width": "576"}),
        ('width="576" height="100"', {"width": "576", "height": "100"}),
        ('width="20" height="10"', {"width": "20", "height": "10"}),
        ('width="40000" height="1"', {"width": "576", "height": "1"}),
        ('height="900"', {"height": "900"}),
        ("", {}),
    ],
)
def test_no_picture_is_wider_than_the_column(size: str, expected: dict[str, str]) -> None:
    source = (
        f'<img src="/media/a.jpg" srcset="/media/b.jpg 2x" sizes="9px" alt="" {size} loading="lazy" decoding="async">'
    )
    image = BeautifulSoup(absolute_links.for_mail(source, page_url=PAGE, width=576), "html5lib").img
    assert image is not None
    assert {name: value for name, value in image.attrs.items() if name in {"width", "height"}} == expected
    assert set(image.attrs) == {"src", "alt", *expected}


def test_the_text_part_has_no_addresses_of_notes() -> None:
    """A note's number says where it is; links to other places are listed."""
    mail = absolute_links.for_mail(RENDERED, page_url=PAGE, width=576)
    text = html.to_text(mail)
    assert "note-fn" not in text
    assert re.findall(r"^\[\d\] (.*)$", text, re.MULTILINE) == [
        "https://news.test/articles/dam/#part-head",
        "https://news.test/about/",
        "https://news.test/articles/b/?x=1&y=2",
    ]
