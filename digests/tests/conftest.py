"""A digest with three stories, and a connection of another process, for the tests of this app."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, connections

from digests import composing
from digests.models import Issue
from subscribers.models import Cadence, Newsletter
from tests.cast import Publish


@pytest.fixture
def digest(newsletter: Newsletter, publish: Publish, now: datetime) -> Issue:
    """A draft with three stories; "Third" is the newest and leads."""
    for hour, headline in enumerate(["First", "Second", "Third"], start=4):
        publish(headline, now.replace(hour=hour))
    return composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)


@pytest.fixture
def elsewhere(transactional_db: None) -> Iterator[Any]:
    """A connection of another process."""
    other = connections.create_connection("default")
    other.set_autocommit(False)
    yield other
    other.close()
    connection.close()
