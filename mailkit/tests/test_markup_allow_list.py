"""Only what the allow-list names survives, from any author and in any disguise."""

import hashlib

import pytest
from bs4 import BeautifulSoup
from pytest_django import Settings

from mailkit import html, sanitising

pytestmark = pytest.mark.slow

SCRIPTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mi><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href='&#x6A;avascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:msgbox(1))",
    "<javascript:alert(1)>",
    "# Head {: onmouseover=alert(1)}",
    "<p style='background:url(javascript:alert(1))' onclick=alert(1) id=login class=x>x</p>",
    "<form action=https://evil.test><input name=password><button>Go</button></form>",
    "<base href=https://evil.test><meta http-equiv=refresh content='0;url=https://evil.test'>",
    "<style>@import 'https://evil.test/x.css'</style>",
    "<object data=x></object><embed src=x><link rel=stylesheet href=//evil.test>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<a href=https://x.test target=_top ping=https://evil.test download>x</a>",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '```python" onmouseover="alert(1)\nx\n```',
    "![x](x\" onerror=alert(1) \")",
    "<!-- --><script>alert(1)</script> --><![CDATA[<script>alert(1)</script>]]>",
    "\x02wzxhzdk:0\x03 <script>alert(1)</script>",
]  # fmt: skip


@pytest.mark.parametrize("profile", ["article", "letter", "legal"])
def test_no_script_form_or_frame_in_any_profile(profile: html.Profile) -> None:
    rendered = html.render("\n\n".join(SCRIPTS), profile=profile)
    soup = BeautifulSoup(rendered.html, "html.parser")
    assert {tag.name for tag in soup.find_all()} <= sanitising.TAGS[profile]
    allowed = set().union(*sanitising.ATTRIBUTES.values()) | {"rel"}
    for tag in soup.find_all():
        assert set(tag.attrs) <= allowed
        assert "javascript" not in str(tag.get("href", "")).lower()
        assert "evil.test" not in f"{tag.get('href')}{tag.get('src')}"


@pytest.mark.parametrize("markdown", SCRIPTS)
def test_each_disguise_alone(markdown: str) -> None:
    soup = BeautifulSoup(html.render(markdown, profile="article").html, "html.parser")
    assert {tag.name for tag in soup.find_all()} <= sanitising.ARTICLE_TAGS
    for tag in soup.find_all():
        assert not [name for name in tag.attrs if name.startswith("on") or name in {"style", "target", "ping"}]
        assert sanitising.safe_link(str(tag.get("href", "/"))) is not None


@pytest.mark.parametrize(
    "link",
    [
        "https://x.test/a?b=1&c=2#d", "http://x.test", "mailto:desk@x.test", "/articles/a/", "#note", "?page=2",
        "other/", "https://bücher.test/ä", "https://x.test:8443/",
    ],
)  # fmt: skip
def test_links_that_stay(link: str) -> None:
    assert sanitising.safe_link(link) == link


@pytest.mark.parametrize(
    "link",
    [
        "//evil.test", "\\\\evil.test", "/\\evil.test", "///evil.test", "https:\\\\evil.test", "\thttps://x.test/\n x",
        "https://good.test@evil.test/", "https://user:pass@x.test/", "https://", "http:///x", "https:evil.test",
        "javascript:alert(1)", "JAVASCRIPT:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "ftp://x.test/",
        "vbscript:x", "file:///etc/passwd", "tel:123", "blob:https://x.test/1", "view-source:https://x.test",
        "mailto:a@x.test%0aBcc:b@x.test", "https://x.test/\u202egpj", "https://x.test/\u200b", "https://[::1", "x:y",
        "https://x.test:99999/", "https://x.test/" + "a" * 2000,
    ],
)  # fmt: skip
def test_links_that_go(link: str) -> None:
    safe = sanitising.safe_link(link)
    assert safe is None or (link.strip() != link and safe.startswith("https://x.test/"))
    assert "evil.test" not in (safe or "")


def test_links_are_cut_off_from_the_page_that_opens_them() -> None:
    assert html.render("[x](https://x.test)", profile="article").html == (
        '<p><a href="https://x.test" rel="noopener">x</a></p>'
    )


@pytest.mark.parametrize(
    ("src", "stays"),
    [
        ("/media/a/b.jpg", True),
        ("https://news.test/media/a/b.jpg", True),
        ("https://evil.test/media/a.jpg", False),
        ("//evil.test/media/a.jpg", False),
        ("/media/../admin/logout", False),
        ("/media//evil.test/a.jpg", False),
        ("/media/\\evil.test/a.jpg", False),
        ("/media/a.jpg?track=1", False),
        ("/unsubscribe/token/", False),
        ("data:image/png;base64,AAAA", False),
        ("https://news.test.evil.test/media/a.jpg", False),
    ],
)
def test_pictures_only_from_our_own_media(settings: Settings, src: str, stays: bool) -> None:
    settings.SITE_URL = "https://news.test"
    rendered = html.render(f"![A > B]({src})\n\n<img src='{src}' alt='x'>\n\nText", profile="article").html
    assert rendered.count("<img") == (2 if stays else 0)
    assert rendered.endswith("<p>Text</p>")


def test_srcset_is_ours_as_a_whole_or_goes() -> None:
    good = '<img src="/media/a.jpg" srcset="/media/a.jpg 1x, /media/b.jpg 2x" sizes="(max-width: 40em) 100vw, 600px">'
    bad = '<img src="/media/a.jpg" srcset="/media/a.jpg 1x, https://evil.test/b.jpg 2x">'
    assert 'srcset="/media/a.jpg 1x, /media/b.jpg 2x"' in html.render(good, profile="article").html
    assert "srcset" not in html.render(bad, profile="article").html


@pytest.mark.parametrize("profile", ["letter", "legal"])
def test_no_pictures_in_letters_and_legal_texts(profile: html.Profile) -> None:
    assert "<img" not in html.render("![x](/media/a.jpg) <img src=/media/a.jpg>", profile=profile).html


def test_links_in_a_letter_are_whole(settings: Settings) -> None:
    settings.SITE_URL = "https://news.test"
    markdown = "[a](/articles/a/) [b](b/) [c](#c) [d](https://x.test/d)"
    soup = BeautifulSoup(html.render(markdown, profile="letter").html, "html5lib")
    assert [a["href"] for a in soup.find_all("a")] == [
        "https://news.test/articles/a/",
        "https://news.test/b/",
        "https://news.test/#c",
        "https://x.test/d",
    ]


def test_footnotes_keep_their_ids_with_a_prefix() -> None:
    soup = BeautifulSoup(
        html.render("A.[^1] B.[^my note]\n\n[^1]: One.\n[^my note]: Two.", profile="article").html, "html5lib"
    )
    links = [str(a["href"]) for a in soup.find_all("a")]
    assert len(links) == 4
    for link in links:
        assert link.startswith("#note-fn")
        assert soup.find(id=link[1:]) is not None


def test_headings_have_ids_and_links_lead_to_them() -> None:
    soup = BeautifulSoup(
        html.render(
            "## Prices in May\n\n[a](#prices-in-may) [b](#Prices-in-May) [c](#%D0%B3%D0%BE%D0%B4) [d](#own) [e](#top)"
            "\n\n### Prices in *May*\n\n## Год!\n\n<h3 id='own'>x</h3>\n\n# !\n\n# ?",
            profile="article",
        ).html,
        "html5lib",
    )
    assert [heading["id"] for heading in soup.find_all(["h2", "h3"])] == [
        "part-prices-in-may", "part-prices-in-may-1", "part-год", "part-own", "part-untitled", "part-untitled-1",
    ]  # fmt: skip
    assert [link["href"] for link in soup.find_all("a")] == [
        "#part-prices-in-may", "#part-prices-in-may", "#part-год", "#part-own", "#top",
    ]  # fmt: skip


def test_entities_bring_no_control_characters() -> None:
    rendered = html.render("a&#11;b&#27;c&#x2028;d&#xFFFF;e&#10;f", profile="article")
    assert rendered.html == "<p>a\nbc\nde\nf</p>"
    assert html.render('<a href="https://x.test/" title="a&#11;b">c</a>', profile="article").html.count("\x0b") == 0


def test_an_authors_own_ids_cannot_shadow_the_page() -> None:
    rendered = html.render('<li id="login">x</li><sup id="fn-1">y</sup><p id="fn-2">z</p>', profile="article").html
    assert 'id="login"' not in rendered
    assert 'id="note-fn-1"' in rendered
    assert "fn-2" not in rendered


def test_markdown_that_a_newspaper_uses() -> None:
    markdown = (
        '# Head\n\n"Quoted" -- and *so* on...\n\n| A | B |\n|---|--:|\n| 1 | 2 |\n\n'
        "```python\nx\n```\n\nTerm\n:   Meaning\n\n1. One\n\n- Two\n"
    )
    rendered = html.render(markdown, profile="article").html
    for part in (
        '<h2 id="part-head">Head</h2>',
        "“Quoted” – and <em>so</em> on…",
        '<td class="align-right">2</td>',
        '<code class="language-python">',
        "<dd>Meaning</dd>",
        "<ol>\n<li>One</li>\n</ol>\n<ul>\n<li>Two</li>\n</ul>",
    ):
        assert part in rendered


def test_same_text_same_html_same_hash() -> None:
    """Composed or not, with whichever line ends: the stored HTML and its hash are the same."""
    one = html.render("Zürich\r\nzwei", profile="article")
    other = html.render("Zu\u0308rich\nzw\x00e\x1bi", profile="article")
    assert one == other
    assert one.sha256 == hashlib.sha256(one.html.encode()).hexdigest()
