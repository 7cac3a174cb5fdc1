"""What all pages have in common, made once and cached in this process until something of it changes.

The database numbers every change of the publication, its sections, newsletters and legal texts (decision 0140). A
request asks for that number before anything else, in one short statement. With another number everything here is made
again, so nothing old is shown. See decision 0158.
"""

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils import translation

from core import page_tags

T = TypeVar("T")

READ_AS: Final = "_shared_parts"
# Written out: Django takes four times as long to put the same together.
NUMBER: Final = "SELECT max(number) FROM publication_pageversion WHERE tag = ANY(%s)"


class SharedParts:
    """The parts that are made already, as the database has them with this number. None: nothing may be cached."""

    def __init__(self, number: int | None) -> None:
        self.number = number
        self._parts: dict[Hashable, Any] = {}

    def part(self, name: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, which depends on the tables behind the number and on nothing of the request."""
        if self.number is None or connection.in_atomic_block:
            # A transaction may show what has no number yet, or is rolled back.
            return make()
        if name not in self._parts:
            self._parts[name] = make()
        part: T = self._parts[name]
        return part

    def words(self, name: Hashable, make: Callable[[], T]) -> T:
        """The same for what is written in the language of the page, with addresses of its pages."""
        return self.part((name, translation.get_language(), get_script_prefix()), make)


_current = SharedParts(None)


def of(request: HttpRequest) -> SharedParts:
    """The shared parts as the database has them now; asked once for each request."""
    known: SharedParts | None = getattr(request, READ_AS, None)
    if known is None:
        known = _now()
        setattr(request, READ_AS, known)
    return known


def keep_nothing(request: HttpRequest) -> None:
    """The page of this request is made of what is not saved: nothing of it is kept, and nothing kept is in it."""
    setattr(request, READ_AS, SharedParts(None))


def _now() -> SharedParts:
    global _current  # noqa: PLW0603  # one for the process
    if settings.DEBUG or connection.in_atomic_block:
        return SharedParts(None)
    # The number first: what is made while something changes is old with the next number.
    number = _number()
    if number != _current.number:
        _current = SharedParts(number)
    return _current


def _number() -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(NUMBER, [sorted(page_tags.EVERYWHERE)])
        row: tuple[int | None] = cursor.fetchone()
    return row[0]
