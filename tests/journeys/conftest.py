"""A stage for each journey, and people to send to."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from articles.models import Article, Author, Byline, Section
from digests import composing
from digests.models import Issue
from mailkit import addresses
from publication.models import Publication
from subscribers import consent
from subscribers.models import Cadence, CadenceOffer, ConsentEvent, Newsletter, Subscriber, Subscription
from tests.journeys import stage as stages

People = Callable[[int], list[str]]
Story = Callable[..., Article]


@pytest.fixture
def script() -> dict[str, object]:
    """The script of the mail server; a test file may override it."""
    return {}


@pytest.fixture
def stage(transactional_db: None, tmp_path: Path, script: dict[str, object]) -> Iterator[stages.Stage]:
    with stages.running(tmp_path, script) as running:
        yield running


@pytest.fixture
def newsletter(transactional_db: None) -> Newsletter:
    """A newsletter that may be sent, with a daily cadence."""
    house = Publication.objects.current()
    house.name = "Block News International"
    house.postal_address = "Blends Media Group\n1 Example Street\n10115 Berlin"
    house.sender_address = "news@blocknews.example"
    house.save()
    newsletter = Newsletter.objects.create(
        name="Tech News", slug="tech-news", description="What happened in tech.", time_zone="Asia/Bishkek"
    )
    since = datetime(2025, 1, 1, tzinfo=UTC)
    CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.DAILY, send_at=time(7), active_since=since)
    return newsletter


@pytest.fixture
def story(transactional_db: None) -> Story:
    """Publish a story an hour ago, or at the given time."""
    section = Section.objects.create(name="News", slug="news")
    author = Author.objects.create(name="Staff Writer", slug="staff-writer")

    def publish(headline: str, at: datetime | None = None) -> Article:
        moment = at or timezone.now() - timedelta(hours=1)
        article = Article.objects.create(
            headline=headline,
            slug=f"story-{Article.objects.count() + 1}",
            standfirst=f"About {headline.lower()}.",
            section=section,
            body_html="<p>The body of the story.</p>",
            body_sha256="0" * 64,
            state=Article.State.PUBLISHED,
            published_at=moment,
            first_published_at=moment,
        )
        Byline.objects.create(article=article, author=author)
        return article

    return publish


@pytest.fixture
def people(newsletter: Newsletter) -> People:
    """Make that many confirmed daily readers and return their addresses."""

    def make(count: int) -> list[str]:
        recipients = [addresses.normalise(f"reader-{number:04}@readers.example") for number in range(count)]
        rows = [
            Subscriber(address=one.address, address_key=one.key, address_hash=addresses.keyed_hash(one.key))
            for one in recipients
        ]
        readers = Subscriber.objects.bulk_create(rows)
        acts = [
            consent.Act(ConsentEvent.Kind.CONFIRMED, row.uuid, row.address_hash, newsletter.slug, Cadence.DAILY)
            for row in readers
        ]
        with transaction.atomic():
            proofs = consent.append(acts=acts, evidence=consent.Evidence(source="test"), now=timezone.now())
        Subscription.objects.bulk_create(
            Subscription(
                subscriber=row,
                newsletter=newsletter,
                cadence=Cadence.DAILY,
                state=Subscription.State.CONFIRMED,
                consent_event=proof,
                confirmed_at=timezone.now(),
            )
            for row, proof in zip(readers, proofs, strict=True)
        )
        return [one.address for one in recipients]

    return make


@pytest.fixture
def issue(newsletter: Newsletter, story: Story) -> Issue:
    """A draft digest with one story."""
    story("The story of the day")
    return composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
