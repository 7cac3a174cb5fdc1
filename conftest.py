"""Fixtures that every app's tests share."""

from datetime import UTC, datetime

import pytest


@pytest.fixture
def now() -> datetime:
    """A fixed instant, so that no test depends on the day it runs."""
    return datetime(2025, 5, 6, 9, 30, tzinfo=UTC)
