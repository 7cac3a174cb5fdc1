"""A newsletter, its hours and stories, for the tests of this app."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, connections
from django.test import Client

from articles.models import Article, Author, Byline, Section
from digests import composing
from digests.models import Issue
from publication.models import Publication
from subscribers.models import (
    Cadence,
    CadenceOffer,
    ConsentEvent,
    Newsletter,
    Subscriber,
    Subscription,
    Weekday,
)

SINCE = datetime(2025, 5, 1, tzinfo=UTC)
BODY = "<p>The body of the story.</p>"

Release = Callable[..., Article]
People = Callable[[str], Client]


@pytest.fixture
def house(db: None) -> Publication:
    """A publication that may send: it has a postal address and a sender."""
    house = Publication.objects.current()
    house.name = "Block News International"
    house.owner = "Blends Media Group"
    house.postal_address = "Blends Media Group\n1 Example Street\n10115 Berlin"
    house.sender_address = "news@blocknews.example"
    house.save()
    return house


@pytest.fixture
def newsletter(house: Publication) -> Newsletter:
    """Tech news, offered at every cadence since 1 May 2025, daily at 07:00 and weekly on Monday in Berlin."""
    newsletter = Newsletter.objects.create(
        name="Tech News", slug="tech-news", description="What happened in tech.", time_zone="Europe/Berlin"
    )
    offer = {"newsletter": newsletter, "active_since": SINCE}
    CadenceOffer.objects.create(cadence=Cadence.INSTANT, **offer)
    CadenceOffer.objects.create(cadence=Cadence.DAILY, send_at=time(7), **offer)
    CadenceOffer.objects.create(cadence=Cadence.WEEKLY, send_at=time(7), weekday=Weekday.MONDAY, **offer)
    return newsletter


@pytest.fixture
def news(db: None) -> Section:
    return Section.objects.create(name="News", slug="news")


@pytest.fixture
def release(news: Section) -> Release:
    """Make a story that was published at a given instant."""
    author = Author.objects.create(name="Staff Writer", slug="staff-writer")

    def make(headline: str, at: datetime, **fields: Any) -> Article:
        values = {"section": news, "standfirst": f"About {headline.lower()}.", "body_html": BODY} | fields
        article = Article.objects.create(
            headline=headline,
            slug=f"story-{Article.objects.count() + 1}",
            state=Article.State.PUBLISHED,
            published_at=at,
            first_published_at=at,
            body_sha256=hashlib.sha256(str(values["body_html"]).encode()).hexdigest(),
            **values,
        )
        Byline.objects.create(article=article, author=author)
        return article

    return make


@pytest.fixture
def digest(newsletter: Newsletter, release: Release, now: datetime) -> Issue:
    """A draft with three stories; "Third" is the newest and leads."""
    for hour, headline in enumerate(["First", "Second", "Third"], start=4):
        release(headline, now.replace(hour=hour))
    return composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)


@pytest.fixture
def as_(db: None) -> People:
    """A browser of somebody in this group."""

    def make(group: str) -> Client:
        user = User.objects.create_user(group.lower(), email=f"{group.lower()}@blocknews.example", is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def mailable(newsletter: Newsletter) -> Callable[[int], None]:
    """Make so many readers who confirmed the daily digest."""

    def make(count: int) -> None:
        for number in range(count):
            reader = Subscriber.objects.create(
                address=f"reader{number}@blocknews.example",
                address_key=f"reader{number}@blocknews.example",
                address_hash=f"{number:064}",
            )
            event = ConsentEvent.objects.create(
                kind=ConsentEvent.Kind.CONFIRMED,
                newsletter_slug=newsletter.slug,
                subscriber_uuid=reader.uuid,
                address_hash=reader.address_hash,
                occurred_at=SINCE,
                previous_hash=f"{number:064}",
                hash=f"{number + 1:064}",
            )
            Subscription.objects.create(
                subscriber=reader,
                newsletter=newsletter,
                cadence=Cadence.DAILY,
                state=Subscription.State.CONFIRMED,
                consent_event=event,
                confirmed_at=SINCE,
            )

    return make


@pytest.fixture
def elsewhere(transactional_db: None) -> Iterator[Any]:
    """A connection of another process."""
    other = connections.create_connection("default")
    other.set_autocommit(False)
    yield other
    other.close()
    connection.close()
