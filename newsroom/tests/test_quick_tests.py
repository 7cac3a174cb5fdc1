"""`bin/test --quick` leaves out what needs a database or takes long."""

import pytest
from django.test import Client

from tests import sharing


def test_one_without_the_database_is_quick(request: pytest.FixtureRequest) -> None:
    assert sharing.is_quick(request.node)


@pytest.mark.slow
def test_one_that_takes_long_is_not(request: pytest.FixtureRequest) -> None:
    assert not sharing.is_quick(request.node)


def test_one_whose_fixture_needs_it_is_not(request: pytest.FixtureRequest, admin_client: Client) -> None:
    assert not sharing.is_quick(request.node)


@pytest.mark.django_db(transaction=True)
def test_one_that_commits_is_not(request: pytest.FixtureRequest) -> None:
    assert not sharing.is_quick(request.node)
