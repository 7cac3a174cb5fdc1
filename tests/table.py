"""Many rows of one test: the fixtures are made once, and each row begins with what they made.

`@rows` is for tests that use the database. `pytest.mark.parametrize` makes a test of each row, which costs a
transaction with all of its fixtures, so it is for tests that use none, or that commit.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.db.models import Model
from django.test import Client
from pytest_django.fixtures import Settings

from tests import redis_keys

Test = Callable[..., None]


def rows(names: str | tuple[str, ...], values: Iterable[Any]) -> Callable[[Test], Test]:
    """As `pytest.mark.parametrize`, but one test, which says of every row that fails what was wrong.

    What a row does is undone after it: in the database, in Redis, in the settings, by `monkeypatch`, and to rows,
    lists and browsers that are fixtures. Files that a fixture knows of stay, so a test of such files is no table.
    """
    split = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = [value if len(split) > 1 else (value,) for value in values]

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def walk(*args: Any, **fixtures: Any) -> None:
            assert table, "the table has no rows"
            failures: list[BaseException] = []
            for number, row in enumerate(table):
                case = dict(zip(split, row, strict=True))
                try:
                    with _undone(fixtures, number) as own:
                        test(*args, **own, **case)
                except (Exception, pytest.fail.Exception) as failure:  # noqa: BLE001  # each is reported below
                    failure.add_note(f"in the row {case!r:.500}")
                    failures.append(failure)
            if failures:
                raise BaseExceptionGroup(f"{len(failures)} of {len(table)} rows failed", failures)

        signature = inspect.signature(test)
        left = [parameter for name, parameter in signature.parameters.items() if name not in split]
        walk.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]  # what pytest asks for
        return walk

    return decorate


@contextlib.contextmanager
def _undone(fixtures: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
    """The fixtures as one row may use and change them."""
    redis_keys.forget()
    if hasattr(mail, "outbox"):
        mail.outbox.clear()
    with contextlib.ExitStack() as stack:
        own = {name: _own(fixture, number, stack) for name, fixture in fixtures.items()}
        stack.enter_context(transaction.atomic())
        try:
            yield own
        finally:
            transaction.set_rollback(True)


def _own(fixture: Any, number: int, stack: contextlib.ExitStack) -> Any:
    match fixture:
        case pytest.MonkeyPatch():
            return stack.enter_context(pytest.MonkeyPatch.context())
        case Settings():
            stack.callback(_restore, fixture, len(fixture._to_restore))
        case pytest.LogCaptureFixture():
            fixture.clear()
        case Model():
            return copy.deepcopy(fixture)
        case list():
            stack.callback(fixture.__setitem__, slice(None), list(fixture))
        case Client():
            stack.callback(setattr, fixture, "cookies", copy.deepcopy(fixture.cookies))
        case Path() if fixture.is_dir():
            folder = fixture / f"row-{number}"
            folder.mkdir()
            return folder
    return fixture


def _restore(settings: Settings, count: int) -> None:
    """Undo all but the first `count` changes."""
    while len(settings._to_restore) > count:
        settings._to_restore.pop().disable()
