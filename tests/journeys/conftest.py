"""A stage for each journey, and people to send to."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from articles.models import Article
from digests import composing
from digests.models import Issue
from subscribers.models import Cadence, Newsletter
from tests.cast import Publish, Readers
from tests.faults import smtp_server
from tests.journeys import stage as stages

People = Callable[[int], list[str]]
Story = Callable[..., Article]


@pytest.fixture
def script() -> dict[str, object]:
    """The script of the mail server; a test file may override it."""
    return {}


@pytest.fixture(scope="module")
def mail() -> Iterator[smtp_server.Server]:
    """A mail server for the lanes of a file that needs no whole stage."""
    with smtp_server.running() as server:
        yield server


@pytest.fixture
def stage(transactional_db: None, tmp_path: Path, script: dict[str, object]) -> Iterator[stages.Stage]:
    with stages.running(tmp_path, script) as running:
        yield running


@pytest.fixture
def newsletter(transactional_db: None, newsletter: Newsletter) -> Newsletter:
    """Tech News with its daily cadence alone: no story leaves by itself."""
    newsletter.offers.exclude(cadence=Cadence.DAILY).delete()
    return newsletter


@pytest.fixture
def story(transactional_db: None, publish: Publish) -> Story:
    """Publish a story an hour ago, or at the given time."""

    def make(headline: str, at: datetime | None = None) -> Article:
        return publish(headline, at or timezone.now() - timedelta(hours=1))

    return make


@pytest.fixture
def people(readers: Readers) -> People:
    """Make that many confirmed daily readers and return their addresses."""

    def make(count: int) -> list[str]:
        return [subscription.subscriber.address for subscription in readers(count)]

    return make


@pytest.fixture
def issue(newsletter: Newsletter, story: Story) -> Issue:
    """A draft digest with one story."""
    story("The story of the day")
    return composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
