"""The text part is written for reading: wrapped, with links where they do not disturb."""

from mailkit import html


def test_links_are_numbered_references_at_the_end() -> None:
    text = html.to_text(
        '<p>See <a href="https://x.test/a">the report</a>, <a href="https://x.test/b">another</a> '
        'and <a href="https://x.test/a">the report again</a>.</p>'
    )
    assert text == (
        "See the report [1], another [2] and the report again [1].\n\n[1] https://x.test/a\n[2] https://x.test/b"
    )


def test_a_link_that_is_its_own_text_is_not_repeated() -> None:
    assert html.to_text('<p><a href="https://x.test/">https://x.test/</a></p>') == "https://x.test/"
    assert html.to_text('<p><a href="mailto:a@x.test">a@x.test</a></p>') == "a@x.test"


def test_slots_of_a_digest_survive() -> None:
    assert "[1] %%unsubscribe_url%%" in html.to_text('<p><a href="%%unsubscribe_url%%">Leave</a></p>')


def test_lines_are_wrapped_but_never_an_address() -> None:
    long_url = "https://x.test/" + "a" * 100
    lines = html.to_text(f"<p>{'word ' * 60}</p><p>{long_url}</p>", width=40).split("\n")
    assert all(len(line) <= 40 for line in lines if line != long_url)
    assert long_url in lines


def test_headings_lists_and_quotations() -> None:
    text = html.to_text(
        "<h2>Head</h2><p>One<br>two</p><ul><li>a</li><li>b<ol start='3'><li>c</li><li>d</li></ol></li></ul>"
        "<blockquote><p>Said</p><p>more</p></blockquote><hr><p>End</p>"
    )
    assert text == ("Head\n----\n\nOne\ntwo\n\n- a\n- b\n  3. c\n  4. d\n\n> Said\n>\n> more\n\n* * *\n\nEnd")


def test_items_hang_under_their_mark() -> None:
    text = html.to_text(f"<ol><li>{'word ' * 12}</li></ol>", width=30)
    assert text.split("\n")[0].startswith("1. word")
    assert all(line.startswith("   word") for line in text.split("\n")[1:])


def test_items_of_several_paragraphs_have_room() -> None:
    assert html.to_text("<ul><li><p>a</p><p>b</p><p>c</p></li><li>d</li></ul>") == "- a\n\n  b\n\n  c\n\n- d"


def test_code_keeps_its_lines_and_spaces() -> None:
    assert html.to_text("<pre><code>if x:\n    y = '&lt;b&gt;'\n</code></pre>") == "if x:\n    y = '<b>'"


def test_a_small_table_has_columns() -> None:
    text = html.to_text(
        "<table><thead><tr><th>Coin</th><th>Price</th></tr></thead><tbody><tr><td>BNB</td><td>598.91</td></tr></tbody></table>"
    )
    assert text == "Coin | Price\n-----+-------\nBNB  | 598.91"


def test_a_wide_table_becomes_a_list_of_rows() -> None:
    cell = "word " * 12
    text = html.to_text(f"<table><tr><th>A</th><th>B</th></tr><tr><td>{cell}</td><td>{cell}</td></tr></table>")
    assert text.startswith("A: word word")
    assert "\nB: word" in text
    assert all(len(line) <= 76 for line in text.split("\n"))


def test_definitions_pictures_and_notes() -> None:
    text = html.to_text(
        '<dl><dt>Som</dt><dd>Money</dd></dl><p><img src="/a.jpg" alt="A president"> Text<sup>'
        '<a class="footnote-ref" href="#note-fn-1">1</a></sup></p>'
        '<p>Note <a class="footnote-backref" href="#note-fnref-1">x</a></p>'
    )
    assert text == "Som\n    Money\n\n[Picture: A president] Text^1\n\nNote"


def test_spaces_and_entities() -> None:
    assert html.to_text("<p>a\n  b\t c&nbsp;d &amp; e</p>") == "a b c\u00a0d & e"


def test_scripts_and_styles_have_no_text() -> None:
    assert html.to_text("<head><title>t</title></head><style>p{}</style><script>x</script><p>y</p>") == "y"


def test_unclosed_and_deep_html_is_read() -> None:
    assert html.to_text("<p>a<b>b</p></i>c") == "ab\n\nc"
    assert html.to_text("<div>" * 5_000 + "deep").strip() == "deep"
    assert html.to_text("<b>" * 5_000 + "deep").strip() == "deep"


def test_rendered_markdown_brings_its_text() -> None:
    rendered = html.render("# Head\n\nText with [a link](https://x.test).", profile="letter")
    assert rendered.text == "Head\n----\n\nText with a link [1].\n\n[1] https://x.test"
