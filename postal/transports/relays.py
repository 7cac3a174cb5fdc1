"""Several mail servers share the work by weight; when one cannot be reached, the others take its copies."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Final

from django.conf import settings

from postal import config, limiter
from postal.transports.base import Copy, Held, More, Needs, Outcome, always, nothing_more
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
    """What bulk mail leaves by: the mail servers, or the one provider or folder that stands in their place."""
    if settings.EMAIL_TRANSPORT == "smtp":
        return configured()
    name = f"esp:{settings.EMAIL_PROVIDER}" if settings.EMAIL_TRANSPORT == "esp" else "local"
    return [Route(name, 1, 0)]


class RelayTransport:
    """See `transports.base.Transport`. One SmtpTransport per server; each batch goes to one of them.

    Copies that the server never heard of, because no session came about, go to the next one in the
    same hand-over. Nothing of them has left, so nobody gets two.
    """

    needs: Needs = "stuffed"

    def __init__(self, *, relays: Sequence[Relay], sending: config.Sending) -> None:
        self._relays = {relay.name: relay for relay in relays}
        self._open = {relay.name: SmtpTransport(smtp=relay.smtp, sending=sending) for relay in relays}
        self._shared = limiter.shared()
        self._preferred: dict[int, str] = {}

    def open(self) -> None:
        """Nothing to prepare: sessions are opened when the first copy needs them."""

    def close(self) -> None:
        """See `base.Transport.close`."""
        for transport in self._open.values():
            transport.close()

    def prefer(self, *, delivery_ids: Sequence[int], relay: str) -> None:
        """Have these copies go to the relay that their grant is for."""
        self._preferred |= dict.fromkeys(delivery_ids, relay)

    def hand_over(
        self, copies: Sequence[Copy], *, more: More = nothing_more, is_held: Held = always
    ) -> Iterator[Outcome]:
        """See `base.Transport.hand_over`."""
        later: list[Sequence[Copy]] = [copies]
        while later:
            yield from self._hand_over(later.pop(0), more, is_held, later)

    def _hand_over(
        self, copies: Sequence[Copy], more: More, is_held: Held, later: list[Sequence[Copy]]
    ) -> Iterator[Outcome]:
        waiting = {copy.delivery_id: copy for copy in copies}
        failed: dict[int, Outcome] = {}
        order = self._order(self._preferred_by(copies))
        away = self._shared.away(subjects=order)
        # Whose grant it is takes what the others have no grant for.
        own = self._preferred_by(copies) or order[0]
        for place, name in enumerate(order):
            batch = list(waiting.values())
            if name != own:
                batch = batch[: self._granted(name, len(batch))]
            further = functools.partial(self._further, "" if place else name, more, waiting, later)
            has_failed = False
            for outcome in self._open[name].hand_over(batch, more=further, is_held=is_held) if batch else ():
                if outcome.unreachable:
                    has_failed = True
                    failed[outcome.delivery_id] = outcome
                    continue
                for known in (waiting, failed, self._preferred):
                    known.pop(outcome.delivery_id, None)
                if name in away:
                    away.discard(name)
                    self._shared.reached(subject=name)
                yield outcome
            if not waiting:
                return
            if has_failed:
                self._shared.rest(subject=name, seconds=REST_SECONDS)
        yield from map(functools.partial(self._put_off, failed), waiting)

    def _further(self, name: str, more: More, waiting: dict[int, Copy], later: list[Sequence[Copy]]) -> Sequence[Copy]:
        """More for this server; what has a grant for another one comes later."""
        copies = more()
        if copies and self._preferred_by(copies) != name:
            later.append(copies)
            return ()
        waiting |= {copy.delivery_id: copy for copy in copies}
        return copies

    def _preferred_by(self, copies: Sequence[Copy]) -> str:
        """The relay that the copies' grant is for: one grant is asked for each batch."""
        names = {self._preferred.get(copy.delivery_id, "") for copy in copies}
        return names.pop() if names else ""

    def _put_off(self, failed: dict[int, Outcome], delivery_id: int) -> Outcome:
        """What becomes of a copy that no server heard of. One that another server could take comes back soon."""
        last = failed[delivery_id]
        rests = self._shared.resting(subjects=list(self._relays))
        if len(rests) == len(self._relays):
            return last
        return last._replace(code="", retry_after=RETURN_SECONDS, about_us=False)

    def _order(self, first: str) -> list[str]:
        """The preferred server, then the others by weight; after all of them those that rest."""
        rests = self._shared.resting(subjects=list(self._relays))
        others = sorted(
            self._relays.values(), key=lambda relay: (relay.name in rests, relay.name != first, -relay.weight)
        )
        return [relay.name for relay in others]

    def _granted(self, name: str, count: int) -> int:
        """How many copies a server takes that were meant for another one, within its own limit."""
        relay = self._relays[name]
        return self._shared.ask(rules=relay.rules, slow=[name], wanted=count, partial_grant=True).count
