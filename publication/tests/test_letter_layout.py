"""The masthead and the footer of every letter and digest."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.template import engines

from mailkit import mjml
from publication.models import Publication

LETTER = """<mjml lang="{{ publication.language }}">
{% include "letters/_layout/head.mjml" with title="Daily" preheader="What happened" %}
<mj-body css-class="ground" background-color="#f6f4f1" width="600px">
{% include "letters/_layout/header.mjml" %}
<mj-section css-class="sheet"><mj-column><mj-text>Story</mj-text></mj-column></mj-section>
{% include "letters/_layout/footer.mjml" %}
</mj-body></mjml>"""
HOSTILE = 'Tom & <b>Ann</b> "x" <script>alert(1)</script></mj-text>'


def context(**changes: Any) -> dict[str, Any]:
    publication = Publication(
        name="Block News",
        owner="Blends & Sons",
        strapline="Markets",
        postal_address="1 Street\nBishkek",
        contact_address="desk@example.com",
        language="kk",
    )
    for name, value in changes.items():
        setattr(publication, name, value)
    return {
        "publication": publication,
        "site_url": "https://news.test",
        "reason": "You subscribed to the Daily.",
        "footer_links": [("Unsubscribe", "%%unsubscribe_url%%"), ("Read online", "https://news.test/?a=1&b=2")],
    }


def html(given: dict[str, Any]) -> BeautifulSoup:
    return BeautifulSoup(mjml.compile(engines["django"].from_string(LETTER).render(given)), "html5lib")


def text(given: dict[str, Any]) -> str:
    return str(engines["django"].from_string('{% include "letters/_layout/footer.txt" %}').render(given))


def test_html_says_who_why_and_how_to_leave() -> None:
    page = html(context())
    words = page.get_text(" ")
    for part in ("Block News", "Markets", "Published by Blends & Sons", "Bishkek", "You subscribed to the Daily."):
        assert part in words
    links = [a.get("href") for a in page.find_all("a")]
    assert "https://news.test/" in links
    assert "%%unsubscribe_url%%" in links
    assert "https://news.test/?a=1&b=2" in links
    assert "mailto:desk@example.com" in links
    assert page.html is not None
    assert page.html["lang"] == "kk"
    assert "What happened" in words


def test_fetches_nothing_from_elsewhere() -> None:
    page = html(context())
    assert not page.find_all(["script", "link", "iframe", "img"])
    assert "@import" not in str(page)
    assert "url(" not in str(page)


def test_the_logo_is_fetched_from_the_site(settings: Any) -> None:
    settings.SITE_URL = "https://news.test"
    [logo] = html(context(logo="publication/a.png")).find_all("img")
    assert logo["src"] == "https://news.test/media/publication/a.png"
    assert logo["alt"] == ""


@pytest.mark.parametrize("field", ["name", "owner", "strapline", "postal_address"])
def test_whatever_an_editor_types_stays_text(field: str) -> None:
    page = html(context(**{field: HOSTILE}))
    assert not page.find_all("script")
    assert "<b>Ann</b>" in page.get_text()


def test_a_pale_colour_stays_readable() -> None:
    page = str(html(context(accent_colour="#ffee88", ink_colour="#eeeeee")))
    assert "#ffee88" not in page.split("@media (prefers-color-scheme: dark)")[0]


def test_text_foot() -> None:
    foot = text(context(name="Tom & Ann's"))
    assert foot.startswith("-----")
    assert "\nYou subscribed to the Daily.\n\nUnsubscribe:\n%%unsubscribe_url%%\n" in foot
    assert "https://news.test/?a=1&b=2" in foot
    assert "Tom & Ann's\nPublished by Blends & Sons\n1 Street\nBishkek\ndesk@example.com\nhttps://news.test/" in foot


def test_a_foot_without_links_or_contact() -> None:
    given = context(owner="", contact_address="") | {"footer_links": (), "reason": ""}
    assert html(given)
    assert "Block News\n1 Street\nBishkek\nhttps://news.test/" in text(given)
    assert "Published by" not in text(given)
