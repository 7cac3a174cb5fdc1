"""What a text loses is said to its author, with the line: nothing is swallowed."""

import pytest

from mailkit import author_messages, html, markup_child, sanitising


def sentences_about(markdown: str, profile: html.Profile = "article") -> tuple[str, ...]:
    """As `html.render` does it, without a process for each text."""
    request = {"profile": profile, "site_url": "https://news.test", "media_url": "/media/", "width": 76}
    head, _ = markup_child.respond(request, markdown.encode())
    return author_messages.left_out(head["left_out"], source=markdown)


def test_a_rendered_text_brings_the_sentences() -> None:
    rendered = html.render(
        "Hello.\r\n\r\n<iframe src=x></iframe>", profile="article", typed="Hello.\n\n\n<iframe src=x>"
    )
    assert rendered.left_out == (
        "Line 4: An embedded page (iframe) cannot be shown and is left out. Link to it instead.",
    )


@pytest.mark.parametrize(
    ("markdown", "sentence"),
    [
        ("![A dam](https://x.test/dam.jpg)", "The picture “https://x.test/dam.jpg” is not one of ours"),
        ("![A dam](dam.jpg)", "The picture “dam.jpg” is not one of ours"),
        ("<img src='data:image/png;base64,AAAA'>", "The picture “data:image/png;base64,AAAA” is not one of ours"),
        ("<iframe src='https://v.test/1'></iframe>", "An embedded page (iframe) cannot be shown and is left out."),
        ("<video src=x controls></video>", "A video cannot be shown"),
        ("<script>alert(1)</script>", "A script is left out"),
        ("<style>p { color: red }</style>", "A style sheet is left out"),
        ("<form><input name=a><button>b</button></form>", "A form cannot be shown"),
        ("<svg><path d=''/></svg>", "A drawing (svg) cannot be shown"),
        ("<center>Hello</center>", "The tag <center> is left out; the words in it stay."),
        ("<template>x</template>", "The tag <template> is left out, with all that is in it."),
        ("Write <name> here", "The tag <name> is left out; the words in it stay. To show the tag itself"),
        ('<p style="color: red">x</p>', "The attribute style of <p> has no effect here"),
        ('<p onclick="x()">x</p>', "The attribute onclick of <p> has no effect here"),
        ('<table width="100%"><tr><td>x</td></tr></table>', "The attribute width of <table> has no effect here"),
        ("[x](javascript:alert(1))", "The link “javascript:alert(1)” is left out; its words stay."),
        ("[x](//evil.test/)", "The link “//evil.test/” is left out"),
        ("[x](ftp://x.test/)", "The link “ftp://x.test/” is left out"),
        ("[x](#nowhere)", "The link “#nowhere” leads to no heading and no note of this text."),
    ],
)
@pytest.mark.parametrize(
    ("before", "line"), [("", 1), ("One.\n\nTwo, and `<iframe>` in code.\n\n", 5), ("> q\n\n- a\n\n", 5)]
)
def test_each_is_told_with_its_line(markdown: str, sentence: str, before: str, line: int) -> None:
    sentences = sentences_about(f"{before}{markdown}\n\nThe last one.")
    assert f"Line {line}: {sentence}" in sentences[0]
    if "<form>" in markdown:
        assert len(sentences) == 3
    else:
        assert len(sentences) == 1


@pytest.mark.parametrize(
    "markdown",
    [
        "",
        "Plain *words*, [a link](https://x.test) and [another](/a/) and [a note](#top).[^1]\n\n[^1]: Note.",
        "# Head\n\n[to it](#head)",
        "`<iframe>` and\n\n```\n<script>\n```\n\n    <style>\n",
        "| a | b |\n|:-:|--:|\n| 1 | 2 |\n\nTerm\n:   Meaning\n\n*[a]: b",
        '<p class="x" id="y" lang="en">x</p><a href="/" target="_blank" class="z">y</a><!-- a comment -->',
        '<img src="/media/a.jpg" alt="x" width="10" height="10">',
        "- [ ] a\n- ~~b~~ https://x.test a@x.test",
        "5 < 6 and 7 > 3, A&B",
    ],
)
def test_what_is_shown_is_not_told(markdown: str) -> None:
    assert sentences_about(markdown) == ()


def test_the_same_thing_twice_has_two_lines() -> None:
    assert [sentence.split(":")[0] for sentence in sentences_about("<font>a</font>\n\nb\n\n<font>c</font>")] == [
        "Line 1",
        "Line 5",
    ]


def test_very_many_are_counted() -> None:
    sentences = sentences_about("<font>a</font>\n\n" * 30)
    assert len(sentences) == 11
    assert sentences[-1] == "20 more places are left out for reasons like these."


def test_what_stands_in_something_that_is_left_out_is_part_of_it() -> None:
    assert len(sentences_about("<iframe><p style='x'>a <iframe>b</iframe> <font>c</font></p></iframe>\n\nText")) == 1


@pytest.mark.parametrize("profile", ["letter", "legal"])
def test_letters_and_legal_texts_say_that_they_have_no_pictures(profile: html.Profile) -> None:
    [sentence] = sentences_about("Hello.\n\n![x](/media/a.jpg)", profile)
    assert sentence == "Line 3: Pictures cannot be shown in this text, and this one is left out."


def test_a_letter_has_no_page_for_a_link_to_its_headings() -> None:
    assert sentences_about("# Head\n\n[to it](#head)", "letter") == (
        "Line 3: The link “#head” leads to no heading and no note of this text.",
    )


@pytest.mark.parametrize("tag", sorted(sanitising.DROPPED_WITH_CONTENT))
def test_no_sentence_says_that_words_stay_which_go(tag: str) -> None:
    [sentence] = sentences_about(f"<{tag}>")
    assert "the words in it stay" not in sentence
