"""Several mail servers share the work by weight; when one cannot be reached, the others take its copies."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Final

from django.conf import settings

from postal import config, limiter
from postal.leases import Lease
from postal.transports.base import Copy, Needs, Outcome, Transport
from postal.transports.smtp import SmtpTransport

# A server that could not be reached is not tried again for so long.
REST_SECONDS: Final = 30.0
# When copies that found no server at all, or no grant for another one, come back.
RETURN_SECONDS: Final = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """What bulk mail leaves by. `name` holds no credentials."""

    name: str
    weight: int
    rate: int

    @property
    def rules(self) -> list[limiter.Rule]:
        """Its own limit, ?rate= of its URL."""
        return [limiter.Rule(self.name, self.rate, 1)] if self.rate else []


@dataclasses.dataclass(frozen=True, slots=True)
class Relay(Route):
    """One mail server of EMAIL_URL."""

    smtp: config.MailServer


def configured() -> list[Relay]:
    """The mail servers of EMAIL_URL, at least one."""
    return [
        Relay(f"relay:{smtp.host}:{smtp.port}", smtp.weight, smtp.rate, smtp)
        for smtp in settings.RELAYS or [settings.SMTP]
    ]


def routes() -> Sequence[Route]:
    """What bulk mail leaves by: the mail servers, or the one provider or folder in their place."""
    if settings.EMAIL_TRANSPORT == "smtp":
        return configured()
    name = f"esp:{settings.EMAIL_PROVIDER}" if settings.EMAIL_TRANSPORT == "esp" else "local"
    return [Route(name, 1, 0)]


@dataclasses.dataclass(slots=True)
class _Batch:
    """Copies on their way from server to server. `own` is the one that their grant is for."""

    own: str
    untried: deque[str]
    away: set[str]
    waiting: dict[int, Copy]
    # The server that has the batch, and the copies of which it has said nothing yet.
    server: str = ""
    unanswered: set[int] = dataclasses.field(default_factory=set)
    failed: dict[int, Outcome] = dataclasses.field(default_factory=dict)

    @property
    def can_grow(self) -> bool:
        """Whether further copies with the same grant may join: nothing of it was passed on to another server."""
        return self.server == self.own and not self.failed

    def submit(self, copies: Sequence[Copy], transport: Transport) -> None:
        """Give the copies to the server that has the batch."""
        self.waiting |= {copy.delivery_id: copy for copy in copies}
        self.unanswered |= {copy.delivery_id for copy in copies}
        transport.submit(copies)


class RelayTransport:
    """See `transports.base.Transport`. One SmtpTransport per server; each batch is with one of them.

    Copies that the server never heard of, because no session came about, go to the next one. Nothing of them
    has left, so nobody gets two.
    """

    needs: Needs = "stuffed"

    def __init__(self, *, relays: Sequence[Relay], sending: config.Sending, lease: Lease) -> None:
        self._relays = {relay.name: relay for relay in relays}
        self._transports = {
            relay.name: SmtpTransport(smtp=relay.smtp, sending=sending, lease=lease) for relay in relays
        }
        self._shared = limiter.shared()
        self._preferred: dict[int, str] = {}
        self._batch: _Batch | None = None
        # What is for another server waits until that batch has its outcomes.
        self._later: deque[tuple[str, Sequence[Copy]]] = deque()

    def prefer(self, *, delivery_ids: Sequence[int], relay: str) -> None:
        """Have these copies go to the relay that their grant is for."""
        self._preferred |= dict.fromkeys(delivery_ids, relay)

    def ready(self) -> int:
        """See `base.Transport.ready`."""
        if self._batch is None:
            return 0 if self._later else next(iter(self._transports.values())).ready()
        return self._transports[self._batch.server].ready() if self._batch.can_grow and not self._later else 0

    def submit(self, copies: Sequence[Copy]) -> None:
        """See `base.Transport.submit`. All of the copies have the same grant."""
        own = {self._preferred.pop(copy.delivery_id, "") for copy in copies}.pop()
        if self._batch is not None and self._batch.can_grow and self._batch.own == own:
            self._batch.submit(copies, self._transports[own])
            return
        self._later.append((own, copies))

    def results(self, timeout: float) -> list[Outcome]:
        """See `base.Transport.results`."""
        if self._batch is None:
            return self._begin(*self._later.popleft()) if self._later else []
        return self._collect(self._batch, self._transports[self._batch.server].results(timeout))

    def close(self) -> None:
        """See `base.Transport.close`."""
        for transport in self._transports.values():
            transport.close()

    def _begin(self, own: str, copies: Sequence[Copy]) -> list[Outcome]:
        order = self._order(own)
        waiting = {copy.delivery_id: copy for copy in copies}
        self._batch = _Batch(own or order[0], deque(order), self._shared.away(subjects=order), waiting)
        return self._pass_on(self._batch)

    def _collect(self, batch: _Batch, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes that are final. Once the server has said something of every copy, the others are passed on."""
        final = [outcome for outcome in outcomes if not outcome.unreachable]
        batch.failed |= {outcome.delivery_id: outcome for outcome in outcomes if outcome.unreachable}
        batch.unanswered -= {outcome.delivery_id for outcome in outcomes}
        for outcome in final:
            batch.waiting.pop(outcome.delivery_id)
            batch.failed.pop(outcome.delivery_id, None)
        if final and batch.server in batch.away:
            batch.away.discard(batch.server)
            self._shared.reached(subject=batch.server)
        if len(final) < len(outcomes):
            self._shared.rest(subject=batch.server, seconds=REST_SECONDS)
        return final if batch.unanswered else final + self._pass_on(batch)

    def _pass_on(self, batch: _Batch) -> list[Outcome]:
        """Submit what is left of the batch to the next server; after the last one, the outcomes of these copies."""
        while batch.waiting and batch.untried:
            batch.server = batch.untried.popleft()
            copies = list(batch.waiting.values())
            # The server whose grant it is takes what the others have no grant for.
            if batch.server != batch.own:
                copies = copies[: self._granted(batch.server, len(copies))]
            if copies:
                batch.submit(copies, self._transports[batch.server])
                return []
        self._batch = None
        return [self._put_off(batch.failed[delivery_id]) for delivery_id in batch.waiting]

    def _put_off(self, last: Outcome) -> Outcome:
        """What becomes of a copy that no server heard of. One that another server could take comes back soon."""
        resting = self._shared.resting(subjects=list(self._relays))
        if len(resting) == len(self._relays):
            return last
        return last._replace(code="", retry_after=RETURN_SECONDS, about_us=False)

    def _order(self, first: str) -> list[str]:
        """The preferred server, then the others by weight; after all of them those that rest."""
        resting = self._shared.resting(subjects=list(self._relays))
        by_order = sorted(
            self._relays.values(), key=lambda relay: (relay.name in resting, relay.name != first, -relay.weight)
        )
        return [relay.name for relay in by_order]

    def _granted(self, name: str, count: int) -> int:
        """How many copies a server takes that were meant for another one, within its own limit."""
        relay = self._relays[name]
        return self._shared.ask(rules=relay.rules, slow=[name], wanted=count, partial_grant=True).count
