"""Fixtures that every app's tests share."""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime

import hypothesis
import pytest
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker
from xdist.remote import Producer

from mailkit import sandbox
from newsroom import embedded, env
from tests import no_sandbox, ownership, redis_keys, sharing, template
from tests.clearing import Clearing

pytest_plugins = ["tests.cast", "tests.written"]

# How many objects are made before garbage is looked for; one page of the desk makes more than the usual 700.
NEW_OBJECTS = 20_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--quick`, which `bin/test --quick` gives."""
    parser.addoption("--quick", action="store_true", help="only tests without database, browser and running site")


def pytest_configure() -> None:
    """PostgreSQL and Redis run, in every process of the tests."""
    gc.disable()  # until all tests are collected: modules that are imported are no garbage
    hypothesis.settings.register_profile("without a clock", deadline=None)  # a busy machine decides no test
    hypothesis.settings.load_profile("without a clock")
    embedded.start_missing(env.var_dir())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not quick, if asked to; where several processes share the tests, begin with the long ones."""
    if config.getoption("quick"):
        items[:] = [item for item in items if sharing.is_quick(item)]
    if hasattr(config, "workerinput"):
        sharing.order(items)


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and not again and again among 6,000 tests and all modules."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> sharing.Sharing:
    """Our own way of sharing, whatever `--dist` says."""
    config.option.loadscopereorder = False
    return sharing.Sharing(config, log)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The owner makes the database, from a template that is migrated already."""
    ownership.prepare()
    with django_db_blocker.unblock():
        template.prepare()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The migrated database, used as the application's role, which each committing test leaves as it found it."""
    with django_db_blocker.unblock():
        clearing = Clearing()

    def teardown(case: TransactionTestCase) -> None:
        clearing.clear(case)

    with pytest.MonkeyPatch.context() as patch, ownership.lent():
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


@pytest.fixture(autouse=True)
def _without_sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts and pictures are converted in this process: to start another takes longer than most tests."""
    if request.node.get_closest_marker("sandboxed") is None:
        monkeypatch.setattr(sandbox, "run", no_sandbox.run)
        monkeypatch.setattr(sandbox, "prepare", lambda **_: None)


@pytest.fixture(autouse=True)
def _nothing_in_redis() -> None:
    """Redis outlives a test and a whole run: what earlier tests left there must not decide how this one ends."""
    redis_keys.forget()


@pytest.fixture
def now() -> datetime:
    """A fixed instant, so that no test depends on the day it runs."""
    return datetime(2025, 5, 6, 9, 30, tzinfo=UTC)
