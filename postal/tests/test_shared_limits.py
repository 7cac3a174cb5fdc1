"""One limit for all processes: together they keep to it, whatever becomes of Redis."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core import redis_client
from postal import limiter
from postal.tests.redis_server import Clock, Server
from postal.tests.test_gcra import Grants, fullest

Limits = Callable[[], limiter.Limits]
Pace = Callable[..., None]
ROOT = Path(__file__).resolve().parents[2]
RULE = limiter.Rule("all", 200, 1)
# One worker: it takes what it gets and writes down when.
CLIENT = """
import sys, time
from django.conf import settings
from postal import config
url, seconds = sys.argv[1], float(sys.argv[2])
settings.configure(REDIS_URL=url, CACHES={"default": {}}, PACING=config.Pacing(processes=3))
from postal import limiter
shared, rule = limiter.Limits(prefix="many:"), limiter.Rule("all", 200, 1)
print("ready", flush=True)
sys.stdin.readline()
ends = time.monotonic() + seconds
while time.monotonic() < ends:
    grant = shared.ask(rules=[rule], slow=[], wanted=50)
    if grant.count:
        # The hour of the grant, not of this line: a loaded machine may hold a process up in between.
        print((grant.at or time.time() * 1000) / 1000, grant.count, flush=True)
    else:
        time.sleep(min(grant.wait, 0.2))
"""


class Clients:
    """Several real processes that ask as fast as they may."""

    def __init__(self, url: str, *, count: int, seconds: float) -> None:
        command = [sys.executable, "-c", CLIENT, url, str(seconds)]
        pipe = subprocess.PIPE
        self.processes = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
            for _ in range(count)
        ]
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()

    def grants(self) -> list[Grants]:
        """What each of them got."""
        grants = []
        for process in self.processes:
            output, _ = process.communicate(timeout=120)
            grants.append([(float(at), int(count)) for at, count in map(str.split, output.splitlines())])
        return grants


def together(grants: list[Grants]) -> Grants:
    return sorted(one for own in grants for one in own)


@pytest.mark.slow
def test_several_processes_keep_to_one_limit_whatever_becomes_of_redis(own_redis: Server) -> None:
    """Five seconds of three processes: Redis as usual for two, flushed twice in the third, then killed."""
    clients = Clients(own_redis.url, count=3, seconds=5)
    began = time.time()
    time.sleep(2.3)
    for _ in range(2):
        own_redis.flush()
        time.sleep(0.3)
    killed = time.time()
    own_redis.stop()
    each = clients.grants()
    undisturbed = [one for one in together(each) if one[0] < began + 2.2]
    assert fullest(undisturbed, 0.98) <= 200
    assert all(any(at < began + 2.2 for at, _ in own) for own in each), "one of them got nothing"
    # How near they come to the limit is proved by a clock that the test moves (test_gcra).
    assert sum(count for _, count in undisturbed) >= 0.6 * 200 * 2
    # Each time that Redis forgets everything, a burst more may leave.
    assert fullest([one for one in together(each) if one[0] < killed], 0.98) <= 200 * 1.1
    # With a whole limit for each it would be 600.
    assert fullest(together(each), 0.98) <= 300
    later = [sum(count for at, count in own if at > killed + 0.5) for own in each]
    assert min(later) > 0, "a process stopped when Redis did"
    assert fullest([one for one in together(each) if one[0] > killed + 0.1], 0.98) <= 200


def test_a_share_is_smaller_when_more_processes_were_seen_in_the_last_minutes(
    limits: Limits, clock: Clock, pace: Pace
) -> None:
    everyone = [limits() for _ in range(9)]
    for one in everyone:
        one.register()
    assert everyone[-1].share == 9
    pace(processes=12)
    assert everyone[-1].share == 12, "but never larger than the setting says"
    pace(processes=1)
    for seconds in (601, -7_200):
        clock.pass_(seconds)
        everyone[0].register()
        assert everyone[0].share == 1


@pytest.mark.parametrize("share", [1, 4, 1000])
def test_alone_no_process_exceeds_its_share(clock: Clock, share: int) -> None:
    alone, grants = limiter.LocalFallback(clock=clock), []
    rule = limiter.Rule("all", 100, 1)
    began = clock.now
    while clock.now < began + 30:
        grant = alone.take([rule.cell.shared_by(share)], 50, 1)
        grants.append((clock.now, grant.count))
        clock.pass_(max(grant.wait, 0.001))
    assert 0.9 * 30 * 100 / share <= sum(count for _, count in grants) + 1
    assert fullest(grants, 1) <= max(1, 100 // share)


def test_redis_is_found_again(own_redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_client, "REST_SECONDS", 0.1)
    shared = limiter.Limits(prefix="again:")
    own_redis.stop()
    assert shared.ask(rules=[RULE], slow=[], wanted=1).at is None
    own_redis.start()
    ends = time.monotonic() + 30
    while shared.ask(rules=[RULE], slow=[], wanted=1).at is None:
        assert time.monotonic() < ends, "Redis is back and was not found"
        time.sleep(0.05)


def test_asking_costs_little() -> None:
    shared = limiter.Limits(prefix=redis_client.key("cost:"))
    of_all = [limiter.Rule("all", 100_000, 1), limiter.Rule("all", 100_000_000, 3600)]
    rules = [*of_all, limiter.Rule("relay:a", 50_000, 1)]
    spent = []
    for _ in range(300):
        began = time.process_time()
        shared.ask(rules=rules, slow=["relay:a"], wanted=50)
        spent.append(time.process_time() - began)
    # Of processor time, 0.2 ms where nothing else runs; a busy machine's is several times slower.
    assert sorted(spent)[150] < 0.005
