"""Every public page says in its head who it is: to search engines, link previews and feed readers."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag as Element
from django.test import Client

from articles.models import Article, Author, Image, Tag
from digests import composing, freezing
from digests.models import Issue
from publication.models import Publication
from subscribers.models import Cadence, LegalVersion, Newsletter
from tests.cast import Publish

SITE = "http://127.0.0.1:8000"
# Page -> the types that schema.org has for it.
PAGES = {
    "/": {"NewsMediaOrganization", "WebSite", "CollectionPage"},
    "/articles/story-1/": {"NewsArticle", "BreadcrumbList"},
    "/sections/news/": {"CollectionPage", "BreadcrumbList"},
    "/tags/gold/": {"CollectionPage", "BreadcrumbList"},
    "/authors/staff-writer/": {"ProfilePage", "BreadcrumbList"},
    "/corrections/": {"CollectionPage", "BreadcrumbList"},
    "/search/?q=gold": {"SearchResultsPage", "BreadcrumbList"},
    "/newsletters/": {"CollectionPage", "BreadcrumbList"},
    "/newsletters/tech-news/": {"CollectionPage", "BreadcrumbList"},
    "/newsletters/tech-news/1/": {"WebPage", "BreadcrumbList"},
    "/newsletters/tech-news/1/stories/": {"CollectionPage", "BreadcrumbList"},
    "/subscribe/": {"WebPage", "BreadcrumbList"},
    "/preferences/": {"WebPage", "BreadcrumbList"},
    "/legal/privacy/1/": {"WebPage", "BreadcrumbList"},
}
# What Google's documentation of each type calls required, and of NewsArticle, which has nothing required, recommended.
GOOGLES = {
    "NewsArticle": {"headline", "image", "datePublished", "dateModified", "author"},
    "BreadcrumbList": {"itemListElement"},
    "ProfilePage": {"mainEntity"},
    "WebSite": {"name", "url", "potentialAction"},
    "NewsMediaOrganization": {"name", "url", "logo"},
    "CollectionPage": {"name", "url"},
    "WebPage": {"name", "url"},
    "SearchResultsPage": {"name", "url"},
}


@pytest.fixture
def site(publish: Publish, newsletter: Newsletter, texts: list[LegalVersion], now: datetime) -> Article:
    """Something on each page: a story with a picture, a tag, an author and a correction, and an issue that was sent."""
    image = Image.objects.create(file="images/0a.jpg", alt="A mountain", width=1600, height=900)
    article = publish('Gold & "silver" </script>', now.replace(hour=4), lead_image=image)
    article.tags.add(Tag.objects.create(name="Gold", slug="gold"))
    article.corrections.create(text="It was seven.", corrected_at=now)
    Author.objects.update(role="Editor", biography="Writes on money.")
    Publication.objects.update(logo="publication/logo.png", strapline="All of it")
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)
    freezing.freeze(issue=issue, now=now)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.SENT, audience_count=1, planned_at=now)
    return article


def head_of(client: Client, path: str) -> Element:
    response = client.get(path)
    assert response.status_code == 200, path
    return BeautifulSoup(response.content, "html5lib").select("head")[0]


def content(head: Element, name: str) -> str:
    tag = head.find("meta", attrs={"property": name}) or head.find("meta", attrs={"name": name})
    return str(tag["content"]) if tag else ""


def graph(head: Element) -> dict[str, dict[str, Any]]:
    [script] = head.find_all("script", type="application/ld+json")
    data = json.loads(script.string or "")
    assert data["@context"] == "https://schema.org"
    return {node["@type"]: node for node in data["@graph"]}


def test_every_public_page_has_its_address_its_card_and_what_google_asks_for(client: Client, site: Article) -> None:
    for path, types in PAGES.items():
        head = head_of(client, path)
        canonical = head.find("link", rel="canonical")
        assert canonical is not None, path
        assert canonical["href"] == SITE + urlsplit(path).path, path
        for name in ("og:type", "og:site_name", "og:title", "og:url", "twitter:card", "description"):
            assert content(head, name), (path, name)
        nodes = graph(head)
        assert set(nodes) == types, path
        for kind, node in nodes.items():
            assert not GOOGLES[kind] - set(node), (path, kind)
            assert node.get("isAccessibleForFree", True) is True


def test_a_storys_data_name_its_authors_its_corrections_and_the_way_to_it(client: Client, site: Article) -> None:
    nodes = graph(head_of(client, site.get_absolute_url()))
    story = nodes["NewsArticle"]
    assert story["headline"] == site.headline
    assert story["author"] == [
        {
            "@type": "Person",
            "name": "Staff Writer",
            "url": f"{SITE}/authors/staff-writer/",
            "jobTitle": "Editor",
            "description": "Writes on money.",
        }
    ]
    assert story["correction"][0]["text"] == "It was seven."
    assert story["isAccessibleForFree"] is True
    assert story["publisher"]["@type"] == "NewsMediaOrganization"
    steps = nodes["BreadcrumbList"]["itemListElement"]
    assert [step["name"] for step in steps] == ["Block News International", "News", site.headline]
    assert [step["position"] for step in steps] == [1, 2, 3]
    assert steps[1]["item"] == f"{SITE}/sections/news/"


def test_lists_name_their_stories_and_the_site_its_search(client: Client, site: Article) -> None:
    nodes = graph(head_of(client, "/"))
    [item] = nodes["CollectionPage"]["mainEntity"]["itemListElement"]
    assert (item["position"], item["url"]) == (1, SITE + site.get_absolute_url())
    assert nodes["WebSite"]["potentialAction"]["target"]["urlTemplate"] == f"{SITE}/search/?q={{search_term_string}}"
    writer = graph(head_of(client, "/authors/staff-writer/"))["ProfilePage"]["mainEntity"]
    assert (writer["@type"], writer["name"]) == ("Person", "Staff Writer")


def test_each_list_offers_its_own_feeds_and_these_answer(client: Client, site: Article) -> None:
    for path in ("/sections/news/", "/tags/gold/", "/authors/staff-writer/", "/newsletters/tech-news/"):
        links = [str(link["href"]) for link in head_of(client, path).find_all("link", rel="alternate")]
        for kind in ("rss", "atom", "json"):
            assert f"{path}feed.{kind}" in links
            assert f"/feed.{kind}" in links
            assert client.get(f"{path}feed.{kind}").status_code == 200


def test_what_nobody_should_find_is_not_offered(client: Client, site: Article) -> None:
    for path in ("/search/?q=gold", "/preferences/", "/articles/story-1/embed/"):
        assert content(head_of(client, path), "robots") == "noindex", path
