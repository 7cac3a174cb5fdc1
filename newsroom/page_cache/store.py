"""The cached pages of a process: those that were requested last, up to a number of bytes."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, NamedTuple

from newsroom.page_cache import codings
from newsroom.page_cache.codings import Coding
from newsroom.page_cache.keys import Key

Headers = list[tuple[str, str]]

# What an entry takes besides its bodies: name, headers, tags.
OVERHEAD: Final = 4_096


class Response(NamedTuple):
    """What is sent of a page in one coding."""

    headers: Headers
    body: bytes


@dataclass(slots=True)
class Entry:
    """A page. `epoch`: it is as the database had it then; `fresh_until`: a time by the clock.

    `headers` are those of Django, without the length; `unchanged` those of a 304; `modified_at` is the date of
    Last-Modified in seconds, None without one.
    """

    epoch: int
    tags: frozenset[str]
    fresh_until: float
    etag: str
    modified_at: int | None
    headers: Headers
    unchanged: Headers
    responses: dict[Coding, Response]

    @property
    def size(self) -> int:
        """How many bytes it takes, about."""
        return OVERHEAD + sum(len(response.body) for response in self.responses.values())


class Store:
    """Entries by their names. Every process has its own; its threads share it."""

    def __init__(self, *, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        """The entry, which is now the last that was asked for."""
        with self._lock:
            if (entry := self._entries.get(key)) is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Keep it in the place of an older one; those that nobody asked for longest go."""
        with self._lock:
            self._drop(key)
            self._entries[key] = entry
            self.bytes += entry.size
            self._make_room()

    def response(self, key: Key, entry: Entry, coding: Coding) -> Response:
        """The page in this coding, which is made when it is first asked for."""
        if (response := entry.responses.get(coding)) is not None:
            return response
        known, other = next(iter(entry.responses.items()))
        body = codings.encode(codings.decode(other.body, known), coding)
        response = encoded(entry.headers, body, coding)
        with self._lock:
            if self._entries.get(key) is entry and coding not in entry.responses:
                self.bytes += len(body)
                entry.responses[coding] = response
                self._make_room()
        return response

    def _drop(self, key: Key) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self.bytes -= entry.size

    def _make_room(self) -> None:
        while self.bytes > self.most_bytes and self._entries:
            self._drop(next(iter(self._entries)))


def encoded(headers: Headers, body: bytes, coding: Coding) -> Response:
    """A body in a coding, with the headers that say so."""
    coded = [] if coding == "identity" else [("Content-Encoding", coding)]
    return Response([*headers, *coded, ("Content-Length", str(len(body)))], body)
