"""Cards are plain text in the source, and each has its form on the page, in a feed, in a mail and as text."""

from datetime import datetime
from typing import Any

from bs4 import BeautifulSoup, Tag
from django.contrib.auth.models import User
from django.test import Client

from articles import cards, embeds, markup, publishing, syndication
from articles.models import Article, Image
from articles.tests.conftest import StoryMaker
from mailkit import html as mailkit_html
from publication import languages
from tests.table import rows

STORIES = "/admin/articles/article/cards/"
VIDEO = "https://www.youtube.com/watch?v=aqz-KE-bpKQ"


def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html5lib")


def page_of(client: Client, article: Article) -> Tag:
    prose = soup(client.get(article.get_absolute_url()).content.decode()).select_one("article.story .prose")
    assert prose is not None
    return prose


@rows(
    ("text", "on_page", "in_feed", "in_mail", "as_text"),
    [
        (
            "::: note What it *means*\nText **bold**.\n:::",
            "aside.card-note strong",
            "aside.card-note strong",
            "table[role=presentation] td.card-note strong",
            "| What it *means*\n|\n| Text bold.",
        ),
        ("::: warning\nText.\n:::", "aside.card-warning > p", "aside.card-warning", "td.card-warning > p", "| Text."),
        (
            "::: quote Jane Roe\nIt is money.\n:::",
            "figure.card-quote > blockquote > p",
            "blockquote",
            "blockquote",
            "> It",
        ),
        ("::: quote Jane Roe\nIt is money.\n:::", "figure.card-quote > figcaption", "figcaption", "figcaption", "Jane"),
        (
            "::: story dam",
            ".bookmark a[href='/articles/dam/']",
            "blockquote a[href^=http]",
            ".card-words a",
            "Dam full",
        ),
        (f"::: embed {VIDEO} The dam", f".embed a[href='{VIDEO}']", f"a[href='{VIDEO}']", ".card-embed a", "The dam"),
        ("::: embed https://video.test/1 Film", ".embed a", "a[href='https://video.test/1']", ".card-embed a", "Film"),
        ("::: signup tech-news", "aside.invitation", "a[href$='/newsletters/tech-news/']", None, ""),
        ("::: signup", "aside.invitation", "a[href$='/newsletters/']", None, ""),
    ],
)
def test_a_card_has_its_form_in_each_place(
    client: Client, story: StoryMaker, text: str, on_page: str, in_feed: str, in_mail: str | None, as_text: str
) -> None:
    story(state="published", slug="dam", headline="Dam full", standfirst="For the first time.")
    article = story(state="published", body_markdown=f"Before.\n\n{text}\n\nAfter.")
    assert page_of(client, article).select_one(on_page)
    assert soup(syndication.in_feed(article)).select_one(in_feed)
    mail = syndication.in_mail(article, width=576)
    assert ":::" not in mail
    assert "data-" not in mail
    if in_mail:
        assert soup(mail).select_one(in_mail)
    plain = mailkit_html.to_text(mail)
    assert plain.startswith("Before.")
    assert as_text in plain
    assert "After." in plain


@rows(
    "text",
    [
        "```\n::: note\n:::\n```",
        "    ::: note",
        "> ::: note",
        "- item\n\n    ::: note",
        "Three ::: colons",
    ],
)
def test_colons_elsewhere_are_text(db: None, text: str) -> None:
    html = markup.render(text).html
    assert ":::" in html
    assert "card-" not in html


@rows(
    ("text", "sentence"),
    [
        ("::: gallery", "“::: gallery” is no card"),
        ("::: story", "no card"),
        ("::: embed javascript:alert(1)", "no card"),
        ("::: embed http://plain.test/x", "no card"),
        ('::: embed https://a.test/"onload=x', "no card"),
        ("::: embed https://unknown.test/x", "has no player here"),
        ("::: embed https://www.youtube.com/@channel", "has no player here"),
    ],
)
def test_an_author_hears_of_a_card_that_is_none(db: None, text: str, sentence: str) -> None:
    assert sentence in " ".join(map(str, markup.render(f"A.\n\n{text}").left_out))


@rows(
    "text",
    [
        "::: note <script>alert(1)</script>\n<script>alert(2)</script>\n:::",
        "::: quote <img src=x onerror=alert(1)>\nx\n:::",
        f"::: embed {VIDEO} <img src=x onerror=alert(1)>",
        f'::: embed {VIDEO} " onmouseover="alert(1)',
        '<div data-card="embed https://evil.test/x">"><script>alert(1)</script></div>',
        '<div data-card="story 1 onload=x"></div>',
        '<figure class="embed" data-frame="https://evil.test/" data-load="x"></figure>',
        "::: note\n</aside></div></article><iframe src=https://evil.test>\n:::",
        "::: note\n::: note\n::: quote\nx",
        ":::\n:::\n::: :::",
    ],
)
def test_a_hostile_card_is_harmless(client: Client, story: StoryMaker, text: str) -> None:
    article = story(state="published", body_markdown=f"Before.\n\n{text}\n\nAfter.")
    for shown in (page_of(client, article), soup(syndication.in_mail(article, width=576))):
        assert shown.find(["script", "iframe", "form"]) is None
        for tag in shown.find_all(True):
            assert not [name for name in tag.attrs if name.startswith("on")]
            assert "evil.test" not in str(tag.get("data-frame", ""))
    assert "evil.test" not in client.get(article.get_absolute_url()).headers["Content-Security-Policy"]


def test_a_card_of_a_story_tells_the_truth(client: Client, story: StoryMaker, picture: Image, now: datetime) -> None:
    """A new headline, a new address, a withdrawal: shown on the page that has the card, without saving that page."""
    dam = story(state="published", slug="dam", headline="Dam full", lead_image=picture)
    article = story(state="published", body_markdown="Text.\n\n::: story dam")
    first = client.get(article.get_absolute_url())
    assert "Last-Modified" not in first.headers
    assert page_of(client, article).select_one(".bookmark img[alt='']")

    Article.objects.filter(pk=dam.pk).update(headline="Dam <b>empty</b>", slug="empty-dam")
    dam.refresh_from_db()
    link = page_of(client, article).select_one(".bookmark a")
    assert link is not None
    assert (link.get_text(), link["href"]) == ("Dam <b>empty</b>", "/articles/empty-dam/")
    assert client.get(article.get_absolute_url(), headers={"If-None-Match": first["ETag"]}).status_code == 200

    publishing.withdraw(article=dam, reason="Wrong.", actor=None, now=now)
    assert page_of(client, article).select_one(".bookmark") is None
    assert "empty" not in syndication.in_mail(article, width=576)


def test_a_card_follows_an_old_address_and_leaves_out_one_that_never_was(story: StoryMaker, now: datetime) -> None:
    dam = story(state="published", slug="dam")
    dam.slug = "new-dam"
    dam.save()
    publishing.save_revision(article=dam, actor=None, now=now)
    for name in ("dam", "new-dam", str(dam.pk)):
        assert f"story {dam.pk}" in markup.render(f"::: story {name}").html
    rendered = markup.render("::: story flood\n\nAfter.")
    assert "There is no story at the address “flood”" in rendered.left_out[0]
    assert rendered.html.strip() == "<p>After.</p>"


@rows(
    ("url", "frame"),
    [
        (VIDEO, "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"),
        ("https://youtu.be/aqz-KE-bpKQ?si=x", "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"),
        ("https://www.youtube.com/shorts/aqz-KE-bpKQ", "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"),
        ("https://www.youtube.com/watch", ""),
        ("https://vimeo.com/76979871", "https://player.vimeo.com/video/76979871?dnt=1"),
        ("https://vimeo.com/about", ""),
        ("https://soundcloud.com/a/b", "https://w.soundcloud.com/player/?url=https%3A%2F%2Fsoundcloud.com%2Fa%2Fb"),
        ("https://open.spotify.com/episode/4rOoJ6Egrf8K2IrywzwOMk", "https://open.spotify.com/embed/episode/4rOoJ6Egrf8K2IrywzwOMk"),
        ("https://datawrapper.dwcdn.net/AbCd1/3/", "https://datawrapper.dwcdn.net/AbCd1/"),
        ("https://youtube.com.evil.test/watch?v=aqz-KE-bpKQ", ""),
        ("https://youtube.com@evil.test/watch?v=aqz-KE-bpKQ", ""),
        ("https://evil.test/youtube.com/watch?v=aqz-KE-bpKQ", ""),
    ],
)  # fmt: skip
def test_a_players_address_is_made_from_what_was_typed(db: None, url: str, frame: str) -> None:
    assert embeds.read(url).frame_url == frame


def test_only_the_page_with_a_player_may_frame_it_and_only_if_it_is_allowed(
    client: Client, story: StoryMaker, settings: Any
) -> None:
    article = story(state="published", body_markdown=f"::: embed {VIDEO} The dam")
    plain = story(state="published")
    response = client.get(article.get_absolute_url())
    assert "frame-src 'self' https://www.youtube-nocookie.com;" in response["Content-Security-Policy"] + ";"
    assert b"articles/embeds.js" in response.content
    assert b"<iframe" not in response.content
    again = client.get(article.get_absolute_url(), headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304
    assert again["Content-Security-Policy"] == response["Content-Security-Policy"]
    assert "youtube" not in client.get(plain.get_absolute_url())["Content-Security-Policy"]

    settings.EMBED_PROVIDERS = []
    response = client.get(article.get_absolute_url())
    assert "youtube" not in response["Content-Security-Policy"]
    assert page_of(client, article).select_one(f".embed a[href='{VIDEO}']")


@rows(("size", "width"), [("", "1200"), ("{small}", "320"), (" {left}", "320"), ("{right}", "320"), ("{wide}", "1200")])
def test_a_picture_has_a_size(picture: Image, size: str, width: str) -> None:
    figure = soup(markup.render(f'![x](image:{picture.pk} "In May"){size}').html).select_one("figure")
    assert figure is not None
    assert figure.get("class") == ([f"picture-{size.strip(' {}')}"] if size else None)
    image = figure.select_one("img")
    assert image is not None
    assert image["width"] == width


def test_cards_cost_a_page_one_query(story: StoryMaker, django_assert_num_queries: Any) -> None:
    for number in range(5):
        story(state="published", slug=f"other-{number}")
    html = markup.render("\n".join(f"::: story other-{number}" for number in range(5))).html
    with languages.override("en"), django_assert_num_queries(1):
        assert cards.filled(html, place="page").count('class="bookmark"') == 5


def test_the_dialog_offers_stories_that_readers_can_see(ada: User, story: StoryMaker) -> None:
    story(state="published", headline="Dam full", slug="dam")
    story(headline="Dam secret", slug="secret")
    client = Client()
    assert client.get(STORIES).status_code == 302
    client.force_login(ada)
    for words, slugs in {"": ["dam"], "da": ["dam"], "full DAM": ["dam"], "flood": [], "&|": [], "secret": []}.items():
        assert [each["slug"] for each in client.get(STORIES, {"q": words}).json()["stories"]] == slugs, words
