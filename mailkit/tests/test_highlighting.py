"""Code between fences has its words marked, and stays the same text."""

from bs4 import BeautifulSoup

from mailkit import highlighting, html

CODE = 'def share(total: int) -> str:\n    # <b>of all</b>\n    return f"{total} & 1"\n'


def code_of(rendered: str) -> BeautifulSoup:
    return BeautifulSoup(rendered, "html5lib")


def test_words_are_marked_and_the_text_is_as_it_was() -> None:
    rendered = html.render(f"```python\n{CODE}```", profile="article")
    code = code_of(rendered.html).select_one("pre code.language-python")
    assert code is not None
    assert code.get_text() == CODE
    marks = {" ".join(mark["class"]): mark.get_text() for mark in code.find_all("span")}
    assert marks["code-comment"] == "# <b>of all</b>"
    assert marks["code-name"] == "share"
    assert not code.find_all("b")
    assert CODE.strip() in rendered.text


def test_no_author_writes_a_mark_and_no_language_is_looked_for_elsewhere() -> None:
    rendered = html.render(
        '<span class="code-comment" style="color:red">x</span>\n\n```no-such-language\ndef f(): 1\n```\n\n'
        '<pre><code class="language-python">def <em>f</em>(): 1</code></pre>',
        profile="article",
    ).html
    assert "<span" not in rendered


def test_long_code_stays_plain() -> None:
    line = '<pre><code class="language-python">' + "x = 1\n" * 10_000 + "</code></pre>"
    assert highlighting.highlight(line) == line


def test_a_language_is_found_by_its_short_name_in_any_case() -> None:
    assert "code-keyword" in highlighting.highlight('<pre><code class="language-JS">return 1;</code></pre>')
