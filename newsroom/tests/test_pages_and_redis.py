"""No page is old after a change, whatever Redis does, on however many web processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.utils import timezone

from articles import publishing
from articles.models import Article, Section
from core import page_epoch, redis_client
from newsroom.page_cache import resp
from newsroom.tests.pages import Site
from publication.models import PageVersion, Publication
from tests.cast import Publish
from tests.threads import faults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def story(publish: Publish) -> Article:
    Publication.objects.current()
    return publish("One")


@pytest.fixture
def sites(story: Article) -> Iterator[list[Site]]:
    """Two web processes, which have cached the story's page and have been busy for a while."""
    sites = [Site(), Site()]
    for site in sites * 2:
        site.get(story.get_absolute_url())
        site.asked = 0
    yield sites
    for site in sites:
        site.close()


@pytest.fixture
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a test to see them end."""
    monkeypatch.setattr(page_epoch, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(page_epoch, "SECONDS_TO_WAIT", 0.25)


def rename(story: Article, headline: str) -> None:
    Article.objects.filter(pk=story.pk).update(headline=headline)


def shows(sites: list[Site], headline: str) -> bool:
    return all(f"<h1>{headline}" in _flat(site.get("/articles/story-1/").body) for site in sites)


def believe(sites: list[Site], headline: str) -> None:
    """Visit the sites in a thread of its own until each has a lease; all the while they show that headline."""

    def visit() -> None:
        try:
            assert all(shows(sites, headline) for _ in range(3))
        finally:
            for site in sites:
                site.close()

    assert faults(visit) == []


def _flat(body: bytes) -> str:
    page = body.decode()
    start = page.index("<h1")
    return "<h1>" + page[page.index(">", start) + 1 :].lstrip()


def test_a_process_asks_nobody_but_redis_within_a_second(sites: list[Site], django_assert_num_queries: object) -> None:
    site = sites[0]
    site.get("/")
    with django_assert_num_queries(0):  # type: ignore[operator]  # a fixture of pytest-django
        assert site.get("/").status == "200 OK"


def test_a_process_believes_redis_for_the_time_of_a_lease(sites: list[Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_epoch, "LEASE_SECONDS", 60.0)
    site = sites[0]
    site.get("/")
    site.get("/")
    monkeypatch.setattr("socket.socket.sendall", None)
    assert site.get("/").status == "200 OK"


def test_a_change_is_committed_when_every_lease_has_ended(sites: list[Site], story: Article, long_leases: None) -> None:
    assert shows(sites, "One")
    with transaction.atomic():
        rename(story, "Two")
        believe(sites, "One")
    assert shows(sites, "Two")


def test_a_lease_on_a_number_that_came_back_during_a_change_ends_with_it(
    sites: list[Site], story: Article, long_leases: None
) -> None:
    before = page_epoch.shown()
    with transaction.atomic():
        rename(story, "Two")
        redis_client.connect().set(page_epoch.key(), str(before))
        redis_client.connect().delete(f"{page_epoch.key()}-marks")
        believe(sites, "One")
    assert shows(sites, "Two")


def test_every_process_follows_each_change(sites: list[Site], story: Article) -> None:
    for number in range(5):
        rename(story, f"Headline {number}")
        assert shows(sites, f"Headline {number}")
    publishing.withdraw(article=story, reason="Because.", actor=None, now=timezone.now())
    assert {site.get("/articles/story-1/").status for site in sites} == {"410 Gone"}


def test_an_emptied_redis_changes_nothing_but_who_is_asked(sites: list[Site], story: Article) -> None:
    redis_client.connect().delete(page_epoch.key(), f"{page_epoch.key()}-marks")
    assert shows(sites, "One")
    assert [site.asked for site in sites] == [0, 0]
    with transaction.atomic():
        rename(story, "Two")
        redis_client.connect().delete(page_epoch.key(), f"{page_epoch.key()}-marks")
    assert shows(sites, "Two")


def test_a_redis_that_is_away_or_silent_makes_no_page_old(
    sites: list[Site], story: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.socket.sendall", away)
    monkeypatch.setattr(resp.EpochReader, "_connect", lambda _self: None)
    monkeypatch.setattr(page_epoch, "_run", lambda *_: None)
    for number in range(3):
        rename(story, f"Headline {number}")
        assert shows(sites, f"Headline {number}")


def test_a_redis_that_was_restored_from_a_copy_is_not_believed(sites: list[Site], story: Article) -> None:
    before = page_epoch.shown()
    rename(story, "Two")
    for site in sites:
        site.close()  # as its end does
    redis_client.connect().set(page_epoch.key(), str(before))
    assert shows(sites, "Two")
    assert shows(sites, "Two")


def test_a_process_that_died_between_commit_and_number_makes_no_page_old(sites: list[Site], story: Article) -> None:
    page_epoch.mark("of the dead")
    later = int(timezone.now().timestamp() * 1_000_000) + 1_000_000
    PageVersion.objects.filter(pk__in=["", f"article:{story.pk}"]).update(number=later)
    assert page_epoch.shown() is None
    assert all(site.get("/articles/story-1/").status == "200 OK" for site in sites)
    assert [site.asked for site in sites] == [1, 1]


def test_a_page_that_is_made_during_a_change_is_born_old(sites: list[Site], story: Article) -> None:
    site = sites[0]
    django = site.cache.django

    def slowly(environ: object, start_response: object) -> object:
        result = django(environ, start_response)  # type: ignore[arg-type]  # as it is given
        rename(story, "Two")
        return result

    rename(story, "Half")
    site.cache.django = slowly  # type: ignore[assignment]  # as above
    assert "Half" in site.get("/articles/story-1/").body.decode()
    site.cache.django = django
    assert shows(sites, "Two")


def test_pages_stay_right_while_many_change_them_at_once(sites: list[Site], section: Section, story: Article) -> None:
    def change(number: int) -> None:
        mine = Article.objects.create(
            headline=f"Mine {number}", slug=f"mine-{number}", section=section, body_markdown="Text."
        )
        path = mine.get_absolute_url()
        try:
            for turn in range(4):
                publishing.publish(article=mine, actor=None, now=timezone.now())
                assert {site.get(path).status for site in sites} == {"200 OK"}
                publishing.correct(article=mine, text=f"Correction {turn}.", actor=None, now=timezone.now())
                assert all(f"Correction {turn}." in site.get(path).body.decode() for site in sites)
                assert all(path in site.get("/sitemap.xml").body.decode() for site in sites)
                publishing.withdraw(article=mine, reason="Because.", actor=None, now=timezone.now())
                assert {site.get(path).status for site in sites} == {"410 Gone"}
                assert all(path not in site.get("/sitemap.xml").body.decode() for site in sites)
        finally:
            for site in sites:
                site.close()

    assert faults(*[lambda number=number: change(number) for number in range(4)]) == []
    for site in sites:
        for path in ("/", "/sections/news/", "/feed.json"):
            assert site.get(path).body == site.uncached(path).body
