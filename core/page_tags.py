"""What the page that is being made depends on. A change of a row raises tags; a page that has one of them is old then.

Code that shows a row on a public page adds the row's tag. Models of which that is always right do so when they are
read (`Tagged`); lists, whose rows come and go, add the tag of the list. See decision 0140.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

# Of every page: the name, colours and navigation of the publication; the legal texts at its foot.
EVERYWHERE: Final = frozenset({"publication", "legal"})
# Raised by each change of a public story, or of a name or a picture that may be shown with one.
FEED: Final = "feed"
HOUR: Final = timedelta(hours=1)


@dataclass(slots=True)
class Page:
    """The tags of a page, and the instant at which it grows old by itself."""

    added: set[str] = field(default_factory=set)
    fresh_until: datetime | None = None

    @property
    def tags(self) -> frozenset[str]:
        """All that it depends on; what has the tag of the feeds needs no other tags of stories."""
        return EVERYWHERE | (frozenset({FEED}) if FEED in self.added else frozenset(self.added))


_page: contextvars.ContextVar[Page | None] = contextvars.ContextVar("page", default=None)


@contextlib.contextmanager
def collecting() -> Iterator[Page]:
    """Inside, what is added belongs to this page."""
    page = Page()
    token = _page.set(page)
    try:
        yield page
    finally:
        _page.reset(token)


def add(*tags: str) -> None:
    """The page depends on these. Where no page is made, as in a task, nothing happens."""
    if (page := _page.get()) is not None:
        page.added.update(tags)


def fresh_until(moment: datetime) -> None:
    """The page says something else from this instant on, though no row changes."""
    if (page := _page.get()) is not None:
        page.fresh_until = min(moment, page.fresh_until or moment)


def this_hour(now: datetime) -> None:
    """The page has a value that is the same for everybody, and another one in the next hour."""
    fresh_until(now.replace(minute=0, second=0, microsecond=0) + HOUR)


class Tagged:
    """Mixed into a model: who reads a row while a page is made has its tag, such as `author:7`, on the page."""

    page_tag: ClassVar[str]

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Any:
        """As Django has it."""
        row = super().from_db(*args, **kwargs)  # type: ignore[misc]  # of the model
        add(f"{cls.page_tag}:{row.pk}")
        return row
