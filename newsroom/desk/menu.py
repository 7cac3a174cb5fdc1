"""The menu of the desk: tasks instead of models, and where in it a page is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

from staff import limits
from staff.models import LimitKind

LISTS: Final = "_changelist"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu: its words, the name of its page, and the permission that it needs.

    A name without a namespace is the admin's.

    The pages of a model whose list it opens belong to it; `also` begins the names of further pages that do.
    `query` narrows a list. An entry with `entries` opens the first of them that is shown, unless it has a page.
    """

    title: str | Promise
    page: str = ""
    needs: str = ""
    icon: str = ""
    query: str = ""
    also: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    is_for_administrators: bool = False
    # It is about all objects of these kinds: who is limited to some does not open it.
    about_all: tuple[LimitKind, ...] = ()

    def is_shown(self, request: HttpRequest) -> bool:
        """Whether this person may open it."""
        user = request.user
        if not isinstance(user, User) or (self.is_for_administrators and not user.is_superuser):
            return False
        return (not self.needs or user.has_perm(self.needs)) and not limits.is_limited(user, kinds=self.about_all)

    @property
    def link(self) -> str:
        """The address of its page."""
        name = self.page if ":" in self.page else f"admin:{self.page}"
        return reverse(name) + (f"?{self.query}" if self.query else "")

    def holds(self, name: str) -> bool:
        """Whether the page with this name belongs to it."""
        model = (f"{self.page.removesuffix(LISTS)}_",) if self.page.endswith(LISTS) else ()
        return name == self.page or name.startswith(self.also + model)

    def fits(self, request: HttpRequest) -> bool:
        """Whether the list that is shown has what its query asks for."""
        return all(request.GET.get(key) == value for key, value in parse_qsl(self.query))


def build(entries: Iterable[Entry], request: HttpRequest) -> list[dict[str, Any]]:
    """The lines that this person may open, with the current ones marked; lines below a line in `entries`."""
    match = request.resolver_match
    name = match.view_name.removeprefix("admin:") if match else ""
    return [line for entry in entries if (line := _line(entry, name, request))]


def trail(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The current line and the one below it, as title and link: where the page is."""
    for line in lines:
        if line["is_current"]:
            return [{"title": line["title"], "link": line["link"]}, *trail(line["entries"])]
    return []


def _line(entry: Entry, name: str, request: HttpRequest) -> dict[str, Any] | None:
    if not entry.is_shown(request):
        return None
    below = [line for part in entry.entries if (line := _line(part, name, request))]
    if not entry.page and not below:
        return None
    is_here = entry.holds(name) and entry.fits(request)
    return {
        "title": str(entry.title),
        "icon": entry.icon,
        "link": entry.link if entry.page else below[0]["link"],
        "entries": below,
        "is_current": is_here or any(line["is_current"] for line in below),
        "is_page": is_here and name == entry.page and not any(line["is_current"] for line in below),
    }
