"""One limit for all processes: together they keep to it, whatever becomes of Redis."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from digests.sending.tests.pacing.conftest import Clock, Server
from digests.sending.tests.pacing.test_sliding_window import Grants, fullest
from postal import limiter

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[4]
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
        print(grant.at or int(time.time() * 1000), grant.count, flush=True)
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
        found = []
        for process in self.processes:
            output, _ = process.communicate(timeout=120)
            found.append([(int(at), int(count)) for at, count in map(str.split, output.splitlines())])
        return found


def together(grants: list[Grants]) -> Grants:
    return sorted(one for own in grants for one in own)


def test_several_processes_keep_to_one_limit_and_reach_it(own_redis: Server) -> None:
    each = Clients(own_redis.url, count=3, seconds=4).grants()
    grants = together(each)
    assert fullest(grants, 980) <= 200
    assert all(own for own in each), "one of them got nothing"
    # How near one comes to the limit is proved by a clock that stands still (test_sliding_window).
    assert sum(count for _, count in grants) >= 0.6 * 200 * 4


def test_flushall_lets_nobody_rush(own_redis: Server) -> None:
    clients = Clients(own_redis.url, count=3, seconds=4)
    for _ in range(5):
        time.sleep(0.6)
        own_redis.flush()
    grants = together(clients.grants())
    assert fullest(grants, 980) <= 200 * 1.1
    assert sum(count for _, count in grants) >= 0.5 * 200 * 4


def test_without_redis_everybody_goes_on_with_a_share(own_redis: Server) -> None:
    clients = Clients(own_redis.url, count=3, seconds=5)
    time.sleep(1)
    own_redis.stop()
    away = int(time.time() * 1000)
    each = clients.grants()
    # Each with a whole limit to itself would be 600.
    assert fullest(together(each), 980) <= 300
    later = [sum(count for at, count in own if at > away + 500) for own in each]
    assert min(later) > 0, "a process stopped when Redis did"
    assert sum(later) >= 0.3 * 200 * 3


def test_a_share_is_smaller_when_more_processes_were_seen(own_redis: Server, clock: Clock) -> None:
    everybody = [limiter.Limits(clock=clock, prefix="seen:") for _ in range(9)]
    for one in everybody:
        one.ask(rules=[RULE], slow=[], wanted=1)
    assert everybody[-1].share == 9


@pytest.mark.parametrize("share", [1, 4, 1000])
def test_alone_no_process_exceeds_its_share(share: int) -> None:
    now = [100.0]
    alone, grants = limiter.LocalFallback(clock=lambda: now[0]), []
    rule = limiter.Rule("all", 100, 1)
    while now[0] < 160:
        grant = alone.ask(rules=[rule], slow=[], wanted=50, share=share)
        grants.append((int(now[0] * 1000), grant.count))
        now[0] += max(grant.wait, 0.001)
    total = sum(count for _, count in grants)
    assert 0 < total <= 60 * 100 / share + 10
    assert fullest(grants, 1000) <= max(1, 100 // share + 100 // share // 10)


def test_redis_is_found_again(own_redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "REST_SECONDS", 0.1)
    shared = limiter.Limits(prefix="again:")
    own_redis.stop()
    assert shared.ask(rules=[RULE], slow=[], wanted=1).at is None
    own_redis.start()
    for _ in range(300):
        if shared.ask(rules=[RULE], slow=[], wanted=1).at is not None:
            return
        time.sleep(0.1)
    raise AssertionError("Redis is back and was not found")


def test_asking_costs_little(own_redis: Server) -> None:
    shared = limiter.Limits(prefix="cost:")
    of_all = [limiter.Rule("all", 100_000, 1), limiter.Rule("all", 100_000_000, 3600)]
    rules = [*of_all, limiter.Rule("relay:a", 50_000, 1)]
    spent = []
    for _ in range(300):
        began = time.process_time()
        shared.ask(rules=rules, slow=["relay:a"], wanted=50)
        spent.append(time.process_time() - began)
    # Of processor time, 0.2 ms where nothing else runs; a busy machine's is several times slower.
    assert sorted(spent)[150] < 0.005
