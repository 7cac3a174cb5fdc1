"""/readyz says which part of the site does nothing: a worker, the clock, or Redis, which all of them need."""

import time

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from digests import heartbeat
from newsroom import health, readiness, worker_heartbeat, workers
from newsroom.worker_heartbeat import Process, Signs

LONG = 10_000.0


def worker(name: str, *queues: str, age: float = 1.0, uptime: float = LONG) -> Process:
    return Process(f"{name}@here", 7, age, uptime, queues)


def clock(age: float = 1.0, uptime: float = LONG, idle: float = 30.0) -> Process:
    return Process("beat@here", 8, age, uptime, (), idle)


def signs(**changes: object) -> Signs:
    """A site at work, but for what is said."""
    healthy = {
        "workers": [worker(one.name, *one.queues) for one in workers.read()],
        "beats": [clock()],
        "finished": dict.fromkeys(workers.QUEUES, 40.0),
    }
    return Signs(**{**healthy, **changes})  # type: ignore[arg-type]  # each by its own name


def faults(given: Signs, done: float | None = 30.0) -> dict[str, str]:
    return {part: fault.why for part, fault in readiness.faults(signs=given, done=done).items() if fault}


def test_a_site_at_work_has_no_fault() -> None:
    assert faults(signs()) == {}


@pytest.mark.parametrize("missing", [one.name for one in workers.read()])
def test_a_queue_that_nobody_takes_is_named(missing: str) -> None:
    others = [worker(one.name, *one.queues) for one in workers.read() if one.name != missing]
    [(part, fault)] = faults(signs(workers=others)).items()
    assert part == missing
    assert fault.startswith("No worker ")


def test_one_worker_for_everything_does(settings: Settings) -> None:
    assert faults(signs(workers=[worker("celery", *workers.QUEUES)])) == {}


def test_a_worker_that_says_nothing_is_named_unless_another_does_its_work() -> None:
    letters = worker("letters", "transactional", age=47.0)
    rest = [worker(one.name, *one.queues) for one in workers.read() if one.name != "letters"]
    fault = faults(signs(workers=[letters, *rest]))["letters"]
    assert fault == (
        "The worker letters@here, which sends letters, has said nothing for 47 s: it has died or stands still."
    )
    assert faults(signs(workers=[letters, *rest, worker("second", "transactional")])) == {}


def test_a_worker_that_turns_and_takes_nothing_is_named() -> None:
    finished = {**dict.fromkeys(workers.QUEUES, 40.0), "transactional": 200.0}
    fault = faults(signs(finished=finished))["letters"]
    assert fault == (
        "A worker runs that sends letters, and no task of “transactional” was finished for 200 s: restart it."
    )


def test_lanes_may_keep_every_process_for_as_long_as_a_task_may_last(settings: Settings) -> None:
    finished = dict.fromkeys(workers.QUEUES, 40.0)
    assert faults(signs(finished={**finished, "digest": settings.CELERY_TASK_TIME_LIMIT + 30.0})) == {}
    assert "issues" in faults(signs(finished={**finished, "digest": settings.CELERY_TASK_TIME_LIMIT + 90.0}))


@pytest.mark.parametrize(
    "young",
    [
        {"workers": [worker(one.name, *one.queues, uptime=20.0) for one in workers.read()]},
        {"beats": [clock(uptime=20.0)]},
        {"beats": [clock(uptime=20.0), clock(age=LONG)]},
        {"finished": {}},
    ],
)
def test_nobody_is_expected_to_have_worked_before_there_was_work_and_somebody_to_do_it(
    young: dict[str, object],
) -> None:
    nothing_done = {"finished": dict.fromkeys(workers.QUEUES, LONG)}
    assert faults(signs(**{**nothing_done, **young})) == {}


def test_a_clock_that_has_died_or_sends_nothing_is_named_and_no_worker_is() -> None:
    assert faults(signs(beats=[])) == {"beat": "No clock runs: start Celery beat."}
    silent = dict.fromkeys(workers.QUEUES, LONG)
    assert list(faults(signs(beats=[clock(age=47.0)], finished=silent))) == ["beat"]
    assert faults(signs(beats=[clock(idle=190.0)])) == {
        "beat": "The clock runs and has sent nothing for 190 s: restart Celery beat."
    }
    assert faults(signs(beats=[clock(age=47.0), clock()])) == {}


def test_ticks_that_come_to_no_end_are_named_though_everybody_turns() -> None:
    assert faults(signs(), done=300.0) == {}
    assert faults(signs(), done=None) == {}
    assert faults(signs(), done=500.0) == {
        "ticks": "The clock's work was not done to its end for 500 s: see the log of the worker for ticks."
    }
    assert faults(signs(beats=[clock(uptime=20.0)]), done=500.0) == {}
    assert list(faults(signs(beats=[]), done=500.0)) == ["beat"]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The process signs that /readyz reads, long after it started itself."""
    changes: dict[str, object] = {}
    monkeypatch.setattr(worker_heartbeat, "read", lambda: signs(**changes))
    monkeypatch.setattr(health, "_started_at", -LONG)
    monkeypatch.setattr(heartbeat, "age", lambda **_: 30.0)
    return changes


@pytest.mark.django_db
def test_readyz_answers_503_with_the_sentence(client: Client, given: dict[str, object]) -> None:
    assert client.get("/readyz").status_code == 200
    given["beats"] = []
    response = client.get("/readyz")
    assert (response.status_code, response.json()["beat"]) == (503, "No clock runs: start Celery beat.")
    assert response.json()["letters"] == "ok"


@pytest.mark.django_db
def test_what_is_started_together_is_not_missed_at_once(
    client: Client, given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    given["beats"] = [clock(age=LONG)]
    monkeypatch.setattr(health, "_started_at", time.monotonic() - 50)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["beat"]) == (200, "starting")
    given["beats"] = [clock(age=45.0)]
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_nobody_is_missed_because_redis_was_emptied_or_restarted(client: Client, given: dict[str, object]) -> None:
    given |= {"beats": [], "workers": [], "finished": {}, "since": 3.0}
    response = client.get("/readyz")
    assert (response.status_code, {response.json()[part] for part in readiness.PARTS}) == (200, {"starting"})
    # It came back with what was true before it was away for a while.
    old = {"beats": [clock(age=500.0, idle=500.0)], "finished": dict.fromkeys(workers.QUEUES, 500.0)}
    given |= {**old, "workers": [worker("celery", *workers.QUEUES)]}
    assert client.get("/readyz").status_code == 200
    given |= {"since": 200.0}
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_while_redis_is_away_readyz_says_so_and_accuses_nobody(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/readyz")
    assert response.status_code == 503
    parts = response.json()
    assert (parts["redis"], {parts[part] for part in readiness.PARTS}) == ("failed", {"unknown"})
