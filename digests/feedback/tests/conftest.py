"""A reader's copy that is uncertain."""

import pytest

from digests.models import Delivery
from digests.tests import copies
from digests.tests.conftest import digest, elsewhere
from subscribers.models import Newsletter, Subscriber

__all__ = ["digest", "elsewhere"]


@pytest.fixture
def reader(newsletter: Newsletter) -> Subscriber:
    return copies.reader(newsletter)


@pytest.fixture
def copy(newsletter: Newsletter, reader: Subscriber) -> Delivery:
    return copies.copy(copies.issue(newsletter), reader)
