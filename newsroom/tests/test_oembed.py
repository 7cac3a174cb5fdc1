"""Other sites show the card of a story or a newsletter in a frame, and nothing else of ours."""

from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from articles.models import Article
from publication.models import Publication
from subscribers.models import Newsletter
from tests.cast import Publish

SITE = "http://127.0.0.1:8000"
OEMBED = "/oembed/?url="


@pytest.fixture
def article(publication: Publication, publish: Publish) -> Article:
    """A public story."""
    return publish("Gold & silver")


def test_a_story_and_a_newsletter_have_a_card_which_their_pages_offer(
    client: Client, article: Article, newsletter: Newsletter
) -> None:
    for path, title in ((article.get_absolute_url(), "Gold & silver"), ("/newsletters/tech-news/", "Tech News")):
        page = BeautifulSoup(client.get(path).content, "html5lib")
        offered = {str(link["type"]): str(link["href"]) for link in page.find_all("link", rel="alternate")}
        card = client.get(offered["application/json+oembed"].removeprefix(SITE)).json()
        assert (card["version"], card["type"], card["title"]) == ("1.0", "rich", title)
        assert card["provider_name"] == "Block News International"
        root = ElementTree.fromstring(client.get(offered["text/xml+oembed"].removeprefix(SITE)).content)  # noqa: S314  # ours
        assert (root.tag, root.findtext("title"), root.findtext("html")) == ("oembed", title, card["html"])
        frame = BeautifulSoup(card["html"], "html5lib").iframe
        assert frame is not None
        shown = client.get(str(frame["src"]).removeprefix(SITE))
        assert shown.status_code == 200
        assert "frame-ancestors *" in shown["Content-Security-Policy"]
        assert "X-Frame-Options" not in shown
        assert b"<form" not in shown.content
        again = client.get(str(frame["src"]).removeprefix(SITE), headers={"if-none-match": shown["ETag"]})
        assert (again.status_code, "frame-ancestors *" in again["Content-Security-Policy"]) == (304, True)
        assert "frame-ancestors 'none'" in client.get(path)["Content-Security-Policy"]


def test_a_card_is_no_larger_than_the_other_site_allows(client: Client, article: Article) -> None:
    url = OEMBED + quote(SITE + article.get_absolute_url())
    card = client.get(f"{url}&maxwidth=300&maxheight=200").json()
    assert (card["width"], card["height"]) == (300, 200)
    assert 'width="300" height="200"' in card["html"]
    assert client.get(f"{url}&maxwidth=x&maxheight=99999").json()["height"] < 1000
    assert client.get(f"{url}&format=yaml").status_code == 501


def test_what_readers_do_not_see_has_no_card(client: Client, article: Article) -> None:
    for address in ("https://elsewhere.test/articles/story-1/", f"{SITE}/", f"{SITE}/articles/none/", "", "//["):
        assert client.get(OEMBED + quote(address)).status_code == 404, address
    Article.objects.update(state="withdrawn")
    assert client.get(OEMBED + quote(SITE + article.get_absolute_url())).status_code == 404
    assert client.get(f"{article.get_absolute_url()}embed/").status_code == 404


def test_a_card_speaks_the_language_of_its_address(client: Client, article: Article) -> None:
    Publication.objects.update(further_languages=["ru"])
    card = client.get(OEMBED + quote(f"{SITE}/ru{article.get_absolute_url()}")).json()
    assert f"{SITE}/ru/articles/" in card["html"]
