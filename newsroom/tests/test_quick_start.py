"""A process that has started collects garbage as Python does by itself, but passes over what the start made."""

import gc
from collections.abc import Iterator

import pytest

from newsroom import quick_start


@pytest.fixture(autouse=True)
def _threshold() -> Iterator[None]:
    """The tests have a threshold of their own."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_a_process_that_has_started_collects_as_usual_and_passes_over_what_was_imported() -> None:
    gc.set_threshold(quick_start.WHILE_STARTING)
    quick_start.end()
    assert gc.isenabled()
    assert gc.get_threshold() == quick_start.USUALLY
    assert gc.get_freeze_count() > 100_000


def test_a_module_that_is_imported_later_changes_nothing() -> None:
    before = gc.get_threshold()
    quick_start.begin()
    assert gc.get_threshold() == before
