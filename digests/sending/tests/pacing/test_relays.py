"""Several mail servers: each takes its share, and one that cannot be reached is left alone for a while."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from digests.models import Issue
from digests.sending import lanes
from digests.sending.pacing import rate_limits
from digests.sending.tests.conftest import states
from postal import config, limiter, transports
from postal.leases import Lease
from postal.tests import driving
from postal.tests.redis_server import Server
from postal.tests.test_smtp_outcomes import copies
from postal.transports import relays
from postal.transports.base import Phase
from tests.faults import smtp_server

Start = Callable[[int], Issue]
NOWHERE = 1  # a port of the loopback where nobody listens
TIMEOUTS = config.Timeouts(connect_seconds=2, command_seconds=1.0, final_seconds=1.5)


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


@pytest.fixture
def servers() -> Iterator[Callable[..., list[smtp_server.Server]]]:
    with ExitStack() as stack:
        yield lambda *scripts: [stack.enter_context(smtp_server.running(script)) for script in scripts]


def smtp(port: int, *, weight: int = 1, rate: int = 0) -> config.MailServer:
    return config.MailServer("127.0.0.1", port, weight=weight, rate=rate)


def use(settings: Any, *servers: config.MailServer) -> None:
    settings.EMAIL_TRANSPORT = "smtp"
    settings.RELAYS, settings.SMTP = list(servers), servers[0]
    settings.SENDING = replace(settings.SENDING, timeouts=TIMEOUTS, connections=2, messages_per_connection=100)


def taken(*servers: smtp_server.Server) -> Counter[str]:
    return sum((server.copies() for server in servers), Counter())


def test_two_mail_servers_are_a_relay_transport_and_one_is_not(settings: Any) -> None:
    use(settings, smtp(2525), smtp(2526))
    assert isinstance(transports.for_settings(lease=Lease()), relays.RelayTransport)
    use(settings, smtp(2525))
    assert not isinstance(transports.for_settings(lease=Lease()), relays.RelayTransport)


def test_a_server_that_cannot_be_reached_costs_nobody_a_copy(
    settings: Any, servers: Callable[..., list[smtp_server.Server]]
) -> None:
    (good,) = servers({})
    use(settings, smtp(NOWHERE), smtp(good.port))
    transport = relays.RelayTransport(relays=relays.configured(), sending=settings.SENDING, lease=Lease())
    transport.prefer(delivery_ids=range(10), relay=f"relay:127.0.0.1:{NOWHERE}")
    outcomes = list(driving.outcomes_of(transport, copies(10)))
    transport.close()
    assert sorted(one.delivery_id for one in outcomes) == list(range(10))
    assert {one.state for one in outcomes} == {"accepted"}
    assert set(good.copies().values()) == {1}
    assert limiter.shared().resting(subjects=[f"relay:127.0.0.1:{NOWHERE}"]), "it is left alone for a while"


def test_a_server_that_rests_is_not_waited_for(settings: Any, servers: Callable[..., list[smtp_server.Server]]) -> None:
    """Copies whose grant is for it, from before it failed, go to the others first."""
    hanging, good = servers({"rules": [{"at": "CONNECT", "do": "silence"}]}, {})
    use(settings, smtp(hanging.port), smtp(good.port))
    transport = relays.RelayTransport(relays=relays.configured(), sending=settings.SENDING, lease=Lease())
    limiter.shared().rest(subject=f"relay:127.0.0.1:{hanging.port}", seconds=30)
    transport.prefer(delivery_ids=range(10), relay=f"relay:127.0.0.1:{hanging.port}")
    outcomes = list(driving.outcomes_of(transport, copies(10)))
    transport.close()
    assert {one.state for one in outcomes} == {"accepted"}
    assert hanging.connections == 0


@pytest.mark.parametrize(
    ("at", "state"), [("CONNECT", "accepted"), ("EHLO", "accepted"), ("MAIL", "deferred"), ("FINAL", "uncertain")]
)
def test_only_copies_that_the_server_never_heard_of_go_elsewhere(
    settings: Any, servers: Callable[..., list[smtp_server.Server]], at: str, state: str
) -> None:
    moment = "ACCEPTED" if at == "FINAL" else at
    bad, good = servers({"rules": [{"at": moment, "do": "close"}]}, {})
    use(settings, smtp(bad.port), smtp(good.port))
    transport = relays.RelayTransport(relays=relays.configured(), sending=settings.SENDING, lease=Lease())
    transport.prefer(delivery_ids=[0], relay=f"relay:127.0.0.1:{bad.port}")
    (outcome,) = driving.outcomes_of(transport, copies(1))
    transport.close()
    assert outcome.state == state
    assert max(taken(bad, good).values(), default=0) <= 1


def test_without_any_server_everybody_is_deferred_once(settings: Any) -> None:
    use(settings, smtp(NOWHERE), smtp(NOWHERE + 1))
    transport = relays.RelayTransport(relays=relays.configured(), sending=settings.SENDING, lease=Lease())
    outcomes = list(driving.outcomes_of(transport, copies(5)))
    assert sorted(one.delivery_id for one in outcomes) == list(range(5))
    assert {(one.state, one.phase, one.retry_after) for one in outcomes} == {("deferred", Phase.CONNECT, None)}


def test_who_takes_over_keeps_to_its_own_limit(settings: Any, servers: Callable[..., list[smtp_server.Server]]) -> None:
    (good,) = servers({})
    use(settings, smtp(NOWHERE), smtp(good.port, rate=5))
    transport = relays.RelayTransport(relays=relays.configured(), sending=settings.SENDING, lease=Lease())
    transport.prefer(delivery_ids=range(20), relay=f"relay:127.0.0.1:{NOWHERE}")
    outcomes = list(driving.outcomes_of(transport, copies(20)))
    transport.close()
    counted = Counter(one.state for one in outcomes)
    assert counted == {"accepted": 1, "deferred": 19}
    # They come back soon, and it was no attempt.
    assert {one.retry_after for one in outcomes if one.state == "deferred"} == {relays.RETURN_SECONDS}


@pytest.mark.django_db
def test_copies_are_shared_out_by_weight(settings: Any, sending: Start, transport: Any) -> None:
    use(settings, smtp(NOWHERE, weight=19), smtp(NOWHERE + 1, weight=1))
    rate_limiter = rate_limits.RateLimiter(sending(1), transport)
    routes = Counter(rate_limiter.grant(wanted=5).route for _ in range(200))
    # Of 200 batches 190 are to the heavy one. Chance alone would give it 100.
    assert 170 < routes[f"relay:127.0.0.1:{NOWHERE}"] < 200


@pytest.mark.django_db
def test_an_issue_goes_on_when_one_of_two_servers_is_gone(
    settings: Any, servers: Callable[..., list[smtp_server.Server]], sending: Start
) -> None:
    (good,) = servers({})
    use(settings, smtp(NOWHERE, weight=9), smtp(good.port))
    issue = sending(60)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 60}
    assert set(good.copies().values()) == {1}


@pytest.mark.django_db
def test_a_server_that_rests_is_asked_only_when_all_rest(
    settings: Any, servers: Callable[..., list[smtp_server.Server]], sending: Start
) -> None:
    tired, awake = servers({}, {})
    use(settings, smtp(tired.port, weight=99), smtp(awake.port))
    settings.SENDING = replace(settings.SENDING, copies_in_flight=10)
    limiter.shared().rest(subject=f"relay:127.0.0.1:{tired.port}", seconds=30)
    issue = sending(50)
    lanes.run(issue_id=issue.pk, lane=0)
    assert (tired.connections, sum(awake.copies().values())) == (0, 50)
    limiter.shared().rest(subject=f"relay:127.0.0.1:{awake.port}", seconds=30)
    again = sending(10)
    lanes.run(issue_id=again.pk, lane=0)
    assert sum(taken(tired, awake).values()) == 50 + again.deliveries.count()


@pytest.mark.django_db
def test_a_relay_with_a_limit_leaves_the_rest_to_the_other(
    settings: Any, servers: Callable[..., list[smtp_server.Server]], sending: Start
) -> None:
    slow, fast = servers({}, {})
    use(settings, smtp(slow.port, weight=50, rate=5), smtp(fast.port))
    issue = sending(80)
    began = time.monotonic()
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 80}
    assert sum(slow.copies().values()) <= 5 * (time.monotonic() - began + 2)
    assert fast.copies()


@pytest.mark.django_db
def test_a_relay_that_says_421_is_slowed_and_the_other_is_not(
    settings: Any, servers: Callable[..., list[smtp_server.Server]], sending: Start
) -> None:
    busy, free = servers({"rules": [{"at": "MAIL", "do": "reply", "reply": "421 4.7.0 Too many messages"}]}, {})
    # The one that is named first is not blamed for the other.
    use(settings, smtp(free.port), smtp(busy.port))
    # Enough batches for chance not to pass the busy one by.
    settings.SENDING = replace(settings.SENDING, copies_in_flight=5, lane_seconds=2)
    issue = sending(80)
    lanes.run(issue_id=issue.pk, lane=0)
    assert set(limiter.shared().throttles()) == {f"relay:127.0.0.1:{busy.port}"}
    assert set(issue.deliveries.filter(state="deferred").values_list("attempts", flat=True)) <= {0}
    assert max(free.copies().values()) == 1
