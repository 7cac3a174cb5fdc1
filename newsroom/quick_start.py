"""Starts sooner: what is imported stays, so Python need not search it for garbage again and again.

`begin` comes before Django is set up, in each program's first module; `NewsroomConfig.ready` calls `end`.
"""

import gc
from typing import Final

from django.apps import apps

# Nearly everything that a start makes fits; a program that is never set up still collects.
WHILE_STARTING: Final = 100_000
USUALLY: Final = gc.get_threshold()


def begin() -> None:
    """After: Python collects rarely until `end`. Nothing changes where Django is set up already, as in tests."""
    if not apps.ready:
        gc.set_threshold(WHILE_STARTING)


def end() -> None:
    """After: Python collects as usual, and passes over what was made until now, also in forked processes."""
    gc.freeze()
    gc.set_threshold(*USUALLY)
