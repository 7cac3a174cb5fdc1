"""Every template has the publication, and queries it only when it uses it."""

import pytest
from django.template import engines
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from publication import context, urls


@pytest.mark.django_db
def test_read_only_when_used(rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    values = context.publication(rf.get("/"))
    assert values["publication"].pk == 1
    with django_assert_num_queries(0):
        values = context.publication(rf.get("/"))
    with django_assert_num_queries(1):
        assert values["publication"].name == "Our publication"
        assert values["publication"].owner == ""


def test_the_sites_address(rf: RequestFactory, settings: Settings) -> None:
    settings.SITE_URL = "https://news.test"
    assert context.publication(rf.get("/"))["site_url"] == "https://news.test"


@pytest.mark.parametrize(
    ("location", "whole"),
    [
        ("/", "https://news.test/"),
        ("/articles/a/?b=1", "https://news.test/articles/a/?b=1"),
        ("feed.rss", "https://news.test/feed.rss"),
        ("https://cdn.test/logo.png", "https://cdn.test/logo.png"),
    ],
)
def test_absolute(settings: Settings, location: str, whole: str) -> None:
    settings.SITE_URL = "https://news.test"
    assert urls.absolute(location) == whole
    template = engines["django"].from_string("{% load addresses %}{{ location|absolute }}")
    assert template.render({"location": location}) == whole
