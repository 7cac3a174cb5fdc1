"""What a lane asks before it claims rows, and what it reports of the results."""

from __future__ import annotations

import dataclasses
import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from django.conf import settings
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, draining
from digests.sending.pacing import domains, warmup, windows
from postal import limiter, slowdown
from postal.transports import base, relays
from postal.transports.base import Copy, Outcome, Transport

# A lane that would wait longer ends, and is queued again after ten seconds (`lanes.Ending.PACED`).
PATIENCE_SECONDS: Final = 3.0
# How long a pause, a slow-down somewhere else, or a worker's stop may go unseen while waiting.
POLL_SECONDS: Final = 0.5
# Turns that follow each other faster than this are taken together.
SHORTEST_SECONDS: Final = 0.02
# While no server can be reached, one copy is tried at this interval: all others wait where they are.
PROBE_SECONDS: Final = 5.0
PROBE: Final = "probe"
# A slow-down begins at this multiple of the rate that was reached, so that a rare refusal has no effect.
HEADROOM: Final = 2.0
# The refused share is taken of this many batches at most, none older than a second: one batch is small, and of those
# that have a refusal at all it would be the share of the unlucky ones.
SHARE_BATCHES: Final = 16
SHARE_SECONDS: Final = 1.0


class NoGrant(Exception):
    """Nothing may leave now, nor within the next seconds."""


class NoServer(NoGrant):
    """No server could be reached lately, and another lane tries it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answers:
    """What became of a batch that was settled `at`, with the route and the mail domain of each copy."""

    at: float
    results: Sequence[Outcome]
    routes: Mapping[int, str]
    mail_domains: Mapping[int, str]


class RateLimiter:
    """The pace of one lane's run."""

    def __init__(self, issue: Issue, transport: Transport) -> None:
        self._issue = issue
        self._transport = transport
        self._shared = limiter.shared()
        self._sender = warmup.sender_domain(issue=issue)
        self._rules = overall()
        self._routes = relays.routes()
        self._fresh_until = 0.0
        self._resting: set[str] = set()
        self._is_away = False
        self._route_of: dict[int, str] = {}
        self._lately: deque[Answers] = deque(maxlen=SHARE_BATCHES)
        self._patience = PATIENCE_SECONDS
        self._began_at = time.monotonic()
        self._accepted = 0

    def grant(self, *, wanted: int, patience: float = PATIENCE_SECONDS) -> limiter.Grant:
        """Up to `wanted` copies that may leave; waits `patience` seconds at most, holding nothing. Raises NoGrant.

        While every server is away it is one copy, every PROBE_SECONDS, of all lanes together.
        """
        self._patience = patience
        deadline = time.monotonic() + patience
        while True:
            grant = self._ask(wanted)
            if grant.count:
                return grant
            if draining.asked() or time.monotonic() + grant.wait > deadline:
                raise NoGrant
            # Lanes that wait for the same grant do not all come back at the same instant.
            time.sleep(min(grant.wait, POLL_SECONDS) * random.uniform(1.0, 1.1))  # noqa: S311  # spreads load

    def admit(self, *, batch: claims.Batch | None, grant: limiter.Grant) -> claims.Batch | None:
        """The part of the claimed batch that may leave now, possibly nothing of it; None if there is none to wait for.

        After: what may not is `deferred` to its turn, and the grants that are not needed are given back.
        When there was no batch and a copy's turn comes within the lane's patience, that is waited for:
        left to the sweeper's next minute, a limited mail domain would never reach its limit.
        """
        throttled = self._shared.throttles()
        if batch is not None and (settings.PACING.domains or any(name.startswith("domain:") for name in throttled)):
            batch = domains.defer_over_limit(batch=batch, shared=self._shared, throttled=throttled)
        ids = batch.ids if batch is not None else ()
        unused = grant.count - len(ids)
        self._shared.give_back(grant=grant, count=unused)
        warmup.give_back(shared=self._shared, domain=self._sender, count=unused, now=timezone.now())
        if isinstance(self._transport, relays.RelayTransport):
            self._transport.prefer(delivery_ids=ids, relay=grant.route)
            self._route_of |= dict.fromkeys(ids, grant.route)
        return batch if batch is not None else self._await_turn()

    def _await_turn(self) -> claims.Batch | None:
        wait = domains.next_turn(issue_id=self._issue.pk)
        if wait is None or wait > PATIENCE_SECONDS:
            return None
        time.sleep(min(max(wait, SHORTEST_SECONDS), self._patience, POLL_SECONDS))
        return claims.Batch(self._issue.pk, (), 0)

    def learn(self, *, copies: Sequence[Copy], results: Sequence[Outcome]) -> None:
        """Throttle, for all lanes, each server that refused copies as too many."""
        self._accepted += sum(one.state == "accepted" for one in results)
        self._note_absence(results)
        routes = {one.delivery_id: self._route_of.pop(one.delivery_id, self._routes[0].name) for one in results}
        mail_domains = {copy.delivery_id: copy.recipient.rpartition("@")[2].lower() for copy in copies}
        self._lately.append(Answers(time.monotonic(), results, routes, mail_domains))
        if not any(map(slowdown.is_too_fast, results)):
            return
        for route in set(routes.values()):
            outcomes, domains_of = self._answered_by(route)
            complaints = slowdown.complaints(outcomes=outcomes, domains=domains_of, route=route)
            for subject, complaint in complaints.items():
                reached = self._base(subject, complaint.part)
                self._shared.slow_down(subject=subject, base=reached, hold=complaint.hold, share=complaint.share)
        self._fresh_until = 0.0

    def _answered_by(self, route: str) -> tuple[list[Outcome], dict[int, str]]:
        """What was answered lately by this route, and the mail domains of these copies."""
        lately = [one for one in self._lately if one.at >= self._lately[-1].at - SHARE_SECONDS]
        outcomes = [one for batch in lately for one in batch.results if batch.routes[one.delivery_id] == route]
        return outcomes, {copy: domain for batch in lately for copy, domain in batch.mail_domains.items()}

    def _note_absence(self, results: Sequence[Outcome]) -> None:
        """Whether the one server that there is could be reached; of several, who hands over has noted it."""
        is_alone, name = len(self._routes) == 1, self._routes[0].name
        if base.nobody_answered(results):
            # That was a try; the next one is due later.
            self._shared.once(name=PROBE, seconds=PROBE_SECONDS)
            if is_alone:
                self._shared.rest(subject=name, seconds=relays.REST_SECONDS)
        elif self._is_away and is_alone:
            self._shared.reached(subject=name)
        elif not self._is_away:
            return
        self._fresh_until = 0.0

    def _ask(self, wanted: int) -> limiter.Grant:
        if not windows.is_open(issue=self._issue, now=timezone.now()):
            raise NoGrant
        self._refresh()
        if self._is_away:
            if not self._shared.once(name=PROBE, seconds=PROBE_SECONDS):
                raise NoServer
            wanted = 1
        wanted = self._allowed(wanted)
        grant = self._ask_routes(wanted)
        warmup.give_back(shared=self._shared, domain=self._sender, count=wanted - grant.count, now=timezone.now())
        return grant

    def _ask_routes(self, wanted: int) -> limiter.Grant:
        """A grant of the first route that has one; else the shortest wait."""
        wait = float("inf")
        for route in self._order():
            rules = [*self._rules, *route.rules]
            grant = self._shared.ask(rules=rules, slow=[route.name], wanted=wanted)
            if grant.count:
                return dataclasses.replace(grant, route=route.name)
            wait = min(wait, grant.wait)
        return limiter.Grant(0, wait)

    def _allowed(self, wanted: int) -> int:
        allowed = warmup.take(shared=self._shared, domain=self._sender, wanted=wanted, now=timezone.now())
        if not allowed:
            raise NoGrant
        return allowed

    def _refresh(self) -> None:
        """Now and then, what others have found out. A sender without limits asks Redis no more often than this."""
        if time.monotonic() < self._fresh_until:
            return
        self._fresh_until = time.monotonic() + POLL_SECONDS
        self._shared.register()
        self._shared.look()
        names = [route.name for route in self._routes]
        self._resting = self._shared.resting(subjects=names) if len(names) > 1 else set()
        self._is_away = len(self._shared.away(subjects=names)) == len(names)

    def _order(self) -> Sequence[relays.Route]:
        """The routes in the order in which to try them: by chance and weight, those that rest last."""
        routes = self._routes
        if len(routes) == 1:
            return routes
        chance = {route.name: random.random() ** (1 / route.weight) for route in routes}  # noqa: S311  # spreads load
        return sorted(routes, key=lambda route: (route.name in self._resting, -chance[route.name]))

    def _base(self, subject: str, part: float) -> float:
        """Copies per second from which a slow-down starts: the limit, or more than its part of what all lanes reach."""
        known = domains.rules_for(subject.removeprefix("domain:")) if subject.startswith("domain:") else self._rules
        reached = self._accepted * settings.SENDING.lanes / max(0.01, time.monotonic() - self._began_at)
        return min([rule.limit / rule.seconds for rule in known] + [max(1.0, HEADROOM * part * reached)])


def overall() -> list[limiter.Rule]:
    """The limits of everything that leaves."""
    pace = settings.PACING
    rates = [(pace.per_second, 1), (pace.per_hour, 3_600)]
    return [limiter.Rule("all", limit, seconds) for limit, seconds in rates if limit]
