"""A process that has started collects garbage as Python does by itself, but passes over what the start made."""

import gc

from newsroom import quick_start


def test_a_process_that_has_started_collects_as_usual_and_passes_over_what_was_imported() -> None:
    assert gc.isenabled()
    assert gc.get_threshold() == quick_start.USUALLY
    assert gc.get_freeze_count() > 100_000


def test_a_module_that_is_imported_later_changes_nothing() -> None:
    quick_start.begin()
    assert gc.get_threshold() == quick_start.USUALLY
