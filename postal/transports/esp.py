"""Bulk mail through a provider's HTTP interface, by Anymail.

Where the provider merges (`postal.providers`), a batch is one request; elsewhere a copy
is, over several kept connections. The webhooks find a copy by the metadata `delivery`, which
holds its uuid.
"""

import queue
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from anymail.message import AnymailRecipientStatus
from django.conf import settings

from mailkit import headers, segments
from postal import providers, replies
from postal.transports import esp_message
from postal.transports.base import Copy, Held, More, Needs, Outcome, Phase, State, always, asleep, nothing_more
from postal.transports.esp_line import Failure, Line

# What Anymail calls the answer for one recipient (anymail.message.ANYMAIL_STATUSES).
STATES: Final[Mapping[str, State]] = {
    "sent": "accepted",
    "queued": "accepted",
    "invalid": "rejected",
    "rejected": "rejected",
    "failed": "deferred",
    "unknown": "uncertain",
}


class EspTransport:
    """See `base.Transport`. After a failure of the provider itself the rest of a batch is deferred.

    A provider that does not merge has CONNECTIONS requests at a time, each in a thread of its own.
    """

    needs: Needs = "merge"

    def __init__(self, *, backend: str, provider: str) -> None:
        self._most = providers.sending(provider).most_per_call
        count = 1 if providers.sending(provider).merge_field else settings.SENDING.connections
        self._lines = [Line(backend=backend, provider=provider) for _ in range(count)]
        self._threads = ThreadPoolExecutor(max_workers=count)

    def open(self) -> None:
        """Nothing to prepare: a line connects when it first sends."""

    def hand_over(
        self, copies: Sequence[Copy], *, more: More = nothing_more, is_held: Held = always
    ) -> Iterator[Outcome]:
        """See `base.Transport.hand_over`."""
        give_up_at = time.monotonic() + settings.SENDING.lease_seconds / 3
        good, refused = _sifted(copies)
        yield from refused
        groups = deque(self._groups(good))
        if len(self._lines) == 1 or len(groups) == 1:
            yield from _take(self._lines[0], groups, give_up_at, is_held)
        else:
            yield from self._together(groups, give_up_at, is_held)

    def close(self) -> None:
        """See `base.Transport.close`."""
        self._threads.shutdown()
        for line in self._lines:
            line.close()

    def _groups(self, copies: Sequence[Copy]) -> list[list[Copy]]:
        """Copies that one request may carry: of one letter, no address twice, no more than the provider takes."""
        if self._most == 1:
            return [[copy] for copy in copies]
        groups: list[tuple[int, set[str], list[Copy]]] = []
        for copy in copies:
            letter, address = id(copy.message), copy.recipient.lower()
            for same, addresses, group in groups:
                if same == letter and address not in addresses and len(group) < self._most:
                    addresses.add(address)
                    group.append(copy)
                    break
            else:
                groups.append((letter, {address}, [copy]))
        return [group for _, _, group in groups]

    def _together(self, groups: deque[list[Copy]], give_up_at: float, is_held: Held) -> Iterator[Outcome]:
        """All lines at work on the same groups; outcomes as they come."""
        known: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()

        def work(line: Line) -> None:
            try:
                for outcome in _take(line, groups, give_up_at, is_held):
                    known.put(outcome)
            finally:
                known.put(None)

        at_work: list[Future[None]] = [self._threads.submit(work, line) for line in self._lines]
        try:
            for _ in at_work:
                yield from iter(known.get, None)
        finally:
            # Reached early only when the iterator is dropped: nothing new begins, what is on the wire ends.
            groups.clear()
            wait(at_work)
        for one in at_work:
            one.result()


def _take(line: Line, groups: deque[list[Copy]], give_up_at: float, is_held: Held) -> Iterator[Outcome]:
    """Send group after group; once the provider fails, or is too slow for the lease, none of the rest."""
    failure: Failure | None = None
    while groups:
        try:
            group = groups.popleft()
        except IndexError:  # another line was quicker
            return
        if not is_held():
            yield from map(asleep, group)
            continue
        if failure is not None:
            yield from map(failure.not_handed, group)
            continue
        said, trouble = _send(line, group, give_up_at)
        if trouble is None:
            yield from (_outcome(copy, said.get(copy.recipient.lower())) for copy in group)
        elif trouble.about_one_reader and len(group) > 1:
            # The whole request was refused, so nobody got anything: look for the one in halves.
            middle = len(group) // 2
            groups.extendleft([group[middle:], group[:middle]])
        else:
            yield from map(trouble.outcome, group)
            failure = None if trouble.about_one_reader else trouble
        if failure is None and time.monotonic() > give_up_at:
            reason = "The provider is slow; this copy is of the next batch."
            failure = Failure("deferred", Phase.LOCAL, reason, retry_after=1)


def _send(
    line: Line, group: Sequence[Copy], give_up_at: float
) -> tuple[Mapping[str, AnymailRecipientStatus], Failure | None]:
    """What the provider said of each address, or why it said nothing."""
    letter = group[0].message
    assert letter is not None, "_sifted lets no copy through without its letter"  # noqa: S101  # for the types
    message, failure = line.send(group, letter, give_up_at=give_up_at)
    return {address.lower(): status for address, status in message.anymail_status.recipients.items()}, failure


def _outcome(copy: Copy, status: AnymailRecipientStatus | None) -> Outcome:
    """What the provider said of this reader's copy."""
    word = "unknown" if status is None or status.status is None else status.status
    state = STATES.get(word, "uncertain")
    reason = "" if state == "accepted" else f"The provider called this copy {word}."
    remote_id = "" if status is None else str(status.message_id or "")
    return Outcome(copy.delivery_id, state, Phase.FINAL, reason, remote_id=remote_id.strip("<>")[:200])


def _sifted(copies: Sequence[Copy]) -> tuple[Sequence[Copy], list[Outcome]]:
    """The copies that may leave, and the outcomes of those that no provider needs to be asked about."""
    letters = {id(copy.message): copy.message for copy in copies}
    if len(letters) == 1 and (letter := copies[0].message) and esp_message.are_harmless(copies, letter):
        return copies, []
    refusals = {copy.delivery_id: _refusal(copy) for copy in copies}
    return [copy for copy in copies if not refusals[copy.delivery_id]], list(filter(None, refusals.values()))


def _refusal(copy: Copy) -> Outcome | None:
    """The outcome of a copy that no provider needs to be asked about, or None."""
    if copy.message is None:
        reason = "The copy was handed over without its letter."
        return Outcome(copy.delivery_id, "deferred", Phase.LOCAL, reason, about_us=True)
    try:
        copy.message.check(copy.merge)
    except headers.UnsafeValue as error:
        return Outcome(copy.delivery_id, "rejected", Phase.LOCAL, replies.clean(str(error)))
    except segments.MissingSlot as error:
        return Outcome(copy.delivery_id, "deferred", Phase.LOCAL, replies.clean(str(error)), about_us=True)
    return None
