"""Every URL in a frozen issue is absolute: a mail has no base URL."""

import re
from datetime import datetime
from io import BytesIO
from urllib.parse import urlsplit

import PIL.Image
import pytest
from bs4 import BeautifulSoup
from django.core.files.base import ContentFile
from pytest_django import Settings

from articles import images, publishing
from articles.models import Article, Image
from digests import composing, freezing, issue_content
from digests.models import Issue, Snapshot
from mailkit import absolute_links
from publication.models import Publication
from subscribers.models import Newsletter

SITE = "https://news.test"
TEXT = """
# A heading

The dam[^1] is [full](/articles/full/), see [the heading](#a-heading), [the next page](?page=2) and
[one beside it](../beside/). Write to <desk@news.test>, or look at https://other.test/a_b_c, `/code/stays/` as it is.

![A dam in the mountains](image:{picture} "The dam in May")

<img src="/media/raw.jpg" srcset="/media/raw.jpg 1x" alt="Raw" width="3000" height="1000">

| Where | What |
|---|---|
| [here](/here/) | [there](//other.test/there/) |

[^1]: It is [old](/old/).
"""
INTRODUCTION = "Hello. Read [this](/articles/one/), [that](two/) and [below](#below)."
# A slot in place of a URL: the reader's own link, inserted when the copy is written.
OWN_LINK = re.compile(r"%%(unsubscribe|preferences)_url%%")
TEXT_ADDRESS = re.compile(r"(?:^\[\d+\] |: |^)(/\S*|[?#]\S+|\.\./\S*)$", re.MULTILINE)


def png(width: int) -> bytes:
    upload = BytesIO()
    PIL.Image.new("RGB", (width, width // 2), "navy").save(upload, "PNG")
    return upload.getvalue()


def picture(width: int = 700) -> Image:
    words = Image(alt="A dam", caption="The dam", credit="Jane Roe")
    return images.store(image=words, upload=png(width), actor=None)


@pytest.fixture
def issue(
    request: pytest.FixtureRequest, digest: Issue, newsletter: Newsletter, settings: Settings, now: datetime
) -> Snapshot:
    """A frozen issue of each kind, of stories with everything in them, and with a logo."""
    settings.SITE_URL = SITE
    house = Publication.objects.current()
    house.logo.save("logo.png", ContentFile(png(100)), save=True)
    shown = picture()
    for article in Article.objects.all():
        article.lead_image = shown
        article.body_markdown = TEXT.format(picture=shown.pk)
        article.save()
        publishing.save_revision(article=article, actor=None, now=now)
    chosen = digest
    if request.param == Issue.Kind.ARTICLE:
        story = Article.objects.get(headline="Third")
        chosen = composing.compose_article_issue(newsletter=newsletter, article=story, now=now)
    if request.param == Issue.Kind.LETTER:
        chosen = Issue.objects.create(newsletter=newsletter, kind=Issue.Kind.LETTER, subject="A word to you")
    Issue.objects.filter(pk=chosen.pk).update(introduction=INTRODUCTION)
    return freezing.freeze(issue=Issue.objects.get(pk=chosen.pk), now=now)


EVERY_KIND = pytest.mark.parametrize("issue", list(Issue.Kind), indirect=True)


def addresses(html: str) -> list[str]:
    urls = []
    for tag in BeautifulSoup(html, "html5lib").find_all(True):
        urls += [str(tag[name]) for name in absolute_links.ADDRESSES if tag.has_attr(name)]
        for name in absolute_links.ADDRESS_LISTS:
            urls += [each.split()[0] for each in str(tag.get(name, "")).split(",") if each.strip()]
        urls += re.findall(r"url\(\s*['\"]?([^'\")]+)", str(tag.get("style", "")))
    return urls


@EVERY_KIND
def test_every_address_of_the_html_has_a_scheme(issue: Snapshot) -> None:
    urls = [address for address in addresses(issue.html) if not OWN_LINK.fullmatch(address)]
    assert len(urls) >= 7
    for address in urls:
        parts = urlsplit(address)
        assert (parts.scheme in {"http", "https"} and parts.hostname) or parts.scheme == "mailto", address


@EVERY_KIND
def test_so_has_every_address_of_the_text(issue: Snapshot) -> None:
    assert TEXT_ADDRESS.findall(issue.text) == []
    assert f"[1] {SITE}/" in issue.text


@EVERY_KIND
def test_no_picture_is_wider_than_the_column(issue: Snapshot) -> None:
    for image in BeautifulSoup(issue.html, "html5lib").find_all("img"):
        width = int(str(image["width"]))
        assert width <= issue_content.COLUMN
        height = str(image.get("height", ""))
        assert height in {"", "auto"} or int(height) == pytest.approx(
            width / (3 if "raw" in str(image["src"]) else 2), 1
        )
        assert not image.has_attr("srcset")


@pytest.mark.parametrize("issue", [Issue.Kind.ARTICLE], indirect=True)
def test_anchors_lead_to_the_page(issue: Snapshot) -> None:
    page = f"{SITE}/articles/story-3/"
    urls = addresses(issue.html)
    assert f"{page}#note-fn-1" in urls
    assert [address for address in urls if address.startswith("#")] == []
    assert f"{page}?page=2" in urls
    assert f"{SITE}/articles/beside/" in urls


@pytest.mark.parametrize("issue", [Issue.Kind.ARTICLE], indirect=True)
def test_a_caption_and_a_credit_are_divided(issue: Snapshot) -> None:
    seen = " ".join(BeautifulSoup(issue.html, "html5lib").get_text(" ").split())
    assert "The dam in May. Picture: Jane Roe" in seen
    assert "The dam. Picture: Jane Roe" in seen
    assert "The dam in May. Picture: Jane Roe" in issue.text
