"""What an author types, as it reaches the page."""

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import translation

from articles import markup, syndication
from articles.models import Article, Image
from articles.tests.conftest import StoryMaker
from tests.table import rows

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](//evil.test/x)",
    r"[click](\\evil.test)",
    "# head {: onmouseover=alert(1)}",
    '<a href="https://a.test" onclick="x()">x</a>',
    "<iframe src=https://evil.test></iframe>",
    "<svg onload=alert(1)>",
    '<form action="https://evil.test"><input name=p></form>',
    "![pixel](https://evil.test/pixel.gif)",
    "<style>body{display:none}</style>",
    '<meta http-equiv="refresh" content="0;url=https://evil.test">',
    "<!-- --><base href=https://evil.test>",
    "</div></article></main><script>alert(1)</script>",
]


@rows("text", HOSTILE)
def test_hostile_markdown_is_harmless_on_the_page(client: Client, story: StoryMaker, text: str) -> None:
    article = story(state="published", body_markdown=f"Before.\n\n{text}\n\nAfter.")
    page = BeautifulSoup(client.get(article.get_absolute_url()).content, "html5lib")
    prose = page.select_one("article.story .prose")
    assert prose is not None
    assert prose.find(["script", "iframe", "svg", "form", "style", "meta", "base", "input"]) is None
    for tag in prose.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on") or name == "style"]
        assert str(tag.get("href", "")).split(":")[0] in {"", "https"}
        assert "evil.test" not in f"{tag.get('src', '')}{tag.get('href', '')}"
    assert len(page.select("main")) == 1
    assert "After." in prose.get_text()


def test_a_picture_by_its_number_becomes_a_figure(picture: Image) -> None:
    rendered = markup.render(f'Text.\n\n![The "pass" <b>](image:{picture.pk} "In May & June")\n\nMore.')
    figure = BeautifulSoup(rendered.html, "html5lib").select_one("figure")
    assert figure is not None
    image = figure.select_one("img")
    assert image is not None
    assert image["alt"] == 'The "pass" <b>'
    assert image["src"] == picture.page_url
    assert "960w" in str(image["srcset"])
    assert (image["width"], image["height"]) == ("1200", "800")
    caption = figure.select_one("figcaption")
    assert caption is not None
    assert caption.get_text(" ", strip=True) == "In May & June. Picture: Jane Roe/Agency"


def test_a_pictures_own_words_stand_in(picture: Image) -> None:
    html = markup.render(f"![](image:{picture.pk})").html
    assert 'alt="A mountain"' in html
    assert "The pass in May" in html


def test_a_picture_that_does_not_exist_is_named(db: None) -> None:
    with pytest.raises(markup.MarkupRefused, match="no picture number 4711"):
        markup.render("![x](image:4711)")


def test_a_picture_within_a_sentence_is_refused_with_the_way_to_write_it(picture: Image) -> None:
    with pytest.raises(markup.MarkupRefused, match="line of its own"):
        markup.render(f"See ![x](image:{picture.pk}) here.")


def test_stored_html_that_we_did_not_make_is_shown_as_characters(client: Client, story: StoryMaker) -> None:
    article = story(state="published")
    Article.objects.filter(pk=article.pk).update(body_html="<script>alert(1)</script>")
    page = client.get(article.get_absolute_url()).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_many_brackets_do_not_keep_us_busy(db: None) -> None:
    """The pattern for pictures is linear; what follows has its own clock."""
    text = "![" * 200_000
    assert markup.pictures_in(text) == []
    assert markup.pictures_in("![a](image:" * 50_000) == []


def test_notes_have_words_in_the_language_of_the_page_and_no_way_back_in_a_mail(story: StoryMaker) -> None:
    text = "One[^а] and two[^б], then one.[^а]\n\n[^а]: First.\n[^б]: Second."
    article = story(body_markdown=text, state="published")
    with translation.override("ru"):
        page = BeautifulSoup(markup.shown(article), "html5lib")
    [notes] = page.select("div.footnote")
    assert (notes["role"], notes["aria-label"]) == ("doc-endnotes", "Примечания")
    ways = page.select("a.footnote-backref")
    assert {way["aria-label"] for way in ways} == {"Назад к тексту"}
    assert [page.find(id=str(link["href"])[1:]) is not None for link in page.find_all("a")] == [True] * 6
    mail = BeautifulSoup(syndication.in_mail(article, width=576), "html5lib")
    assert [item.get_text(strip=True) for item in mail.select(".footnote li")] == ["First.", "Second."]
    targets = [str(link["href"]).rpartition("/")[2] for link in mail.select("sup a")]
    assert targets == ["#note-fn-а", "#note-fn-б", "#note-fn-а"]


def test_a_table_and_code_are_reached_by_keys_on_a_page_and_plain_elsewhere(story: StoryMaker) -> None:
    article = story(body_markdown="| A | B |\n| - | - |\n| 1 | 2 |\n\n```\ncode\n```", state="published")
    with translation.override("ky"):
        page = BeautifulSoup(markup.shown(article), "html5lib")
    [part] = page.select("[role=region]")
    assert (part["aria-label"], part["tabindex"], part.find("table") is not None) == ("Таблица", "0", True)
    assert [code["tabindex"] for code in page.select("pre")] == ["0"]
    for place in ("feed", "mail"):
        assert "tabindex" not in markup.shown(article, place=place)
