"""Which tests are run, and how several processes share them (pytest-xdist): by files, those that last long first."""

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/browser/",)  # one site and one browser serve all of these


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """A file's tests share what is made once for it, so they stay on one process.

    Not `--dist loadgroup`: since pytest 9.2 it leaves xdist's group marks unread and says nothing.
    """

    def _split_scope(self, nodeid: str) -> str:
        """The name of the portion that a test belongs to."""
        path = nodeid.split("::")[0]
        return next((folder for folder in TOGETHER if path.startswith(folder)), path)


def order(items: list[pytest.Item]) -> None:
    """Sort them so that the journeys, and then whatever is slow, are not left to the end; stable otherwise."""
    items.sort(key=lambda item: (not item.nodeid.startswith("tests/"), item.get_closest_marker("slow") is None))


def is_quick(item: pytest.Item) -> bool:
    """Whether it needs no database, no browser and no running site, and takes no seconds (`bin/test --quick`)."""
    marks = {mark.name for mark in item.iter_markers()}
    fixtures = set(getattr(item, "fixturenames", ()))
    needs_database = "django_db" in marks or fixtures & {"db", "transactional_db"}
    return not (needs_database or marks & {"slow", "browser"} or item.nodeid.startswith("tests/"))
