"""Bulk mail through a provider's HTTP interface, by Anymail.

Where the provider merges (`postal.providers`), a batch is one request; elsewhere a copy
is, over several kept connections. The webhooks find a copy by the metadata `delivery`, which
holds its uuid.
"""

import queue
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from anymail.message import AnymailRecipientStatus
from django.conf import settings

from mailkit import headers, segments
from postal import providers, replies
from postal.leases import Lease
from postal.transports import esp_message
from postal.transports.base import Copy, Needs, Outcome, Phase, State, asleep
from postal.transports.esp_connection import Connection, Failure

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

    Requests are made in threads, so that the lane can keep its leases meanwhile: one at a time where the
    provider merges a batch, else CONNECTIONS. The next batch is wanted when this one has its outcomes.
    """

    needs: Needs = "merge"

    def __init__(self, *, backend: str, provider: str, lease: Lease) -> None:
        self._most_per_call = providers.sending(provider).most_per_call
        count = 1 if providers.sending(provider).merge_field else settings.SENDING.connections
        self._connections = [Connection(backend=backend, provider=provider) for _ in range(count)]
        self._lease = lease
        self._threads = ThreadPoolExecutor(max_workers=count)
        # What no thread has begun yet.
        self._groups: deque[list[Copy]] = deque()
        self._known: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._at_hand = 0

    def ready(self) -> int:
        """See `base.Transport.ready`."""
        return 0 if self._at_hand else settings.SENDING.copies_in_flight

    def submit(self, copies: Sequence[Copy]) -> None:
        """See `base.Transport.submit`."""
        self._at_hand += len(copies)
        good, refused = _sifted(copies)
        for outcome in refused:
            self._known.put(outcome)
        # Its own queue: a thread of the batch before that has not ended yet finds nothing here.
        groups = self._groups = deque(self._grouped(good))
        give_up_at = time.monotonic() + settings.SENDING.lease_seconds / 3
        for connection in self._connections[: len(groups)]:
            self._threads.submit(self._work, connection, groups, give_up_at)

    def results(self, timeout: float) -> list[Outcome]:
        """See `base.Transport.results`."""
        outcomes: list[Outcome] = []
        until = time.monotonic() + timeout
        while len(outcomes) < self._at_hand:
            try:
                wait = 0.0 if outcomes else max(0.0, until - time.monotonic())
                known = self._known.get(block=wait > 0, timeout=wait)
            except queue.Empty:
                break
            if isinstance(known, Outcome):
                outcomes.append(known)
                continue
            if not outcomes:
                raise known
            # What is known of the other copies goes first.
            self._known.put(known)
            break
        self._at_hand -= len(outcomes)
        return outcomes

    def close(self) -> None:
        """See `base.Transport.close`. No request begins any more; one that has begun is waited for."""
        self._groups.clear()
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _work(self, connection: Connection, groups: deque[list[Copy]], give_up_at: float) -> None:
        """The life of one thread: send groups until none is left."""
        try:
            for outcome in _take(connection, groups, give_up_at, self._lease):
                self._known.put(outcome)
        except BaseException as error:  # noqa: BLE001  # the lane has to hear of a fault in the program
            self._known.put(error)

    def _grouped(self, copies: Sequence[Copy]) -> list[list[Copy]]:
        """Copies that one request may carry: of one letter, no address twice, no more than the provider takes."""
        if self._most_per_call == 1:
            return [[copy] for copy in copies]
        groups: list[tuple[int, set[str], list[Copy]]] = []
        for copy in copies:
            letter, address = id(copy.message), copy.recipient.lower()
            for same, addresses, group in groups:
                if same == letter and address not in addresses and len(group) < self._most_per_call:
                    addresses.add(address)
                    group.append(copy)
                    break
            else:
                groups.append((letter, {address}, [copy]))
        return [group for _, _, group in groups]


def _take(connection: Connection, groups: deque[list[Copy]], give_up_at: float, lease: Lease) -> Iterator[Outcome]:
    """Send group after group; once the provider fails, or is too slow for the lane to end in time, none of the rest."""
    failure: Failure | None = None
    while groups:
        try:
            group = groups.popleft()
        except IndexError:  # another thread was quicker
            return
        if not lease.is_held:
            yield from map(asleep, group)
            continue
        if failure is not None:
            yield from map(failure.not_handed, group)
            continue
        statuses, trouble = _send(connection, group, give_up_at)
        if trouble is None:
            yield from (_outcome(copy, statuses.get(copy.recipient.lower())) for copy in group)
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
    connection: Connection, group: Sequence[Copy], give_up_at: float
) -> tuple[Mapping[str, AnymailRecipientStatus], Failure | None]:
    """What the provider said of each address, or why it said nothing."""
    letter = group[0].message
    assert letter is not None, "_sifted lets no copy through without its letter"  # noqa: S101  # for the types
    message, failure = connection.send(group, letter, give_up_at=give_up_at)
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
