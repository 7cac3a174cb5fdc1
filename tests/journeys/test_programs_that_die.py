"""`bin/run` restarts programs that died or hang; /readyz names them meanwhile."""

import signal
import time
from collections.abc import Iterator

import psutil
import pytest
import requests

from digests import stats
from digests.models import Delivery, Issue
from subscribers.models import Letter, Subscriber
from tests.journeys import stage as stages
from tests.journeys import whole_site
from tests.journeys.conftest import People

READERS, LANES, IN_FLIGHT = 120, 2, 10
pytestmark = pytest.mark.slow


@pytest.fixture
def site(stage: stages.Stage) -> Iterator[whole_site.Site]:
    """A site that says every second that it lives, and misses nobody within its first seconds."""
    stage.extra = {
        "HEARTBEAT_SECONDS": "1",
        "LANES": str(LANES),
        "COPIES_IN_FLIGHT": str(IN_FLIGHT),
        "LEASE_SECONDS": "2",
    }
    with whole_site.running(stage) as site:
        yield site


def pid(site: whole_site.Site, name: str) -> int | None:
    program = site.program(name)
    return program.pid if program else None


def parts(site: whole_site.Site) -> dict[str, str]:
    """What /readyz says; empty while nobody answers."""
    try:
        return dict(requests.get(f"{site.stage.site}/readyz", timeout=5).json())
    except requests.RequestException:
        return {}


def works(site: whole_site.Site) -> bool:
    states = parts(site)
    return bool(states) and all(states.get(part) == "ok" for part in ("redis", "beat", "letters", "ticks", "issues"))


def wait(site: whole_site.Site, condition: object, what: str, seconds: float) -> None:
    stages.wait(condition, what, seconds, site.stage.logs)  # type: ignore[arg-type]  # each is a function of none


def letter_leaves(site: whole_site.Site) -> None:
    reader = Subscriber.objects.order_by("pk")[0]
    before = len(site.stage.mails(reader.address))
    letter = Letter.objects.create(kind=Letter.Kind.PREFERENCES, subscriber=reader)
    site.stage.queue("subscribers.tasks.send_letter", letter.pk)
    site.stage.next_mail(reader.address, before + 1)


def test_every_program_that_is_killed_is_started_again(site: whole_site.Site, people: People, issue: Issue) -> None:
    everybody = people(READERS)
    wait(site, lambda: works(site), "every program to be at work", 30)
    site.stage.let_through(0)
    site.stage.send(issue)
    site.stage.let_through(READERS // 4)
    before = {name: pid(site, name) for name in whole_site.PROGRAMS}
    for name in whole_site.PROGRAMS:
        program = site.program(name)
        assert program is not None
        program.kill()
    for name in whole_site.PROGRAMS:
        wait(site, lambda name=name: pid(site, name) not in {None, before[name]}, f"the {name} to run again", 15)
        assert f"The {name} was killed (SIGKILL): it starts again in 1 s." in site.output()
        # The program runs a moment before its supervisor says so.
        message = f"The {name} was started again."
        wait(site, lambda message=message: message in site.output(), message, 15)
    wait(site, lambda: works(site), "every program to be at work again", 30)
    site.stage.let_all_through()

    def is_sent() -> bool:
        issue.refresh_from_db()
        return issue.state == Issue.State.SENT_WITH_EXCEPTIONS

    site.stage.tick_until(is_sent, "the issue to be sent", 40)
    assert max(site.stage.mail.copies().values()) == 1
    in_doubt = stats.progress(issue).by_state[Delivery.State.UNCERTAIN]
    assert len(everybody) - len(site.stage.mail.accepted) <= in_doubt <= LANES * IN_FLIGHT
    assert site.run.poll() is None


def test_programs_that_stand_still_are_started_again_and_do_not_hold_up_ctrl_c(
    site: whole_site.Site, people: People
) -> None:
    people(1)
    wait(site, lambda: works(site), "every program to be at work", 30)
    stopped = {name: site.program(name) for name in ("worker for letters", "clock")}
    for program in stopped.values():
        assert program is not None
        program.suspend()
    for part in ("letters", "beat"):
        wait(site, lambda part=part: "has said nothing for" in parts(site).get(part, ""), f"{part} to be named", 10)
    assert requests.get(f"{site.stage.site}/readyz", timeout=5).status_code == 503
    for name, program in stopped.items():
        wait(
            site, lambda name=name: f"The {name} has said nothing for" in site.output(), f"the {name} to be missed", 15
        )
        assert program is not None
        wait(site, lambda name=name, old=program.pid: pid(site, name) not in {None, old}, f"the {name} to run", 40)
    wait(site, lambda: works(site), "every program to be at work again", 30)
    letter_leaves(site)

    web = site.program("web server")
    assert web is not None
    for one in [web, *web.children(recursive=True)]:
        one.suspend()
    wait(site, lambda: "The web server has not answered for" in site.output(), "the web server to be missed", 20)
    wait(site, lambda: works(site), "the site to answer again", 60)

    stopped_worker, killed_clock = site.program("worker for letters"), site.program("clock")
    assert stopped_worker is not None
    assert killed_clock is not None
    running = psutil.Process(site.run.pid).children(recursive=True)
    stopped_worker.suspend()
    killed_clock.kill()
    wait(site, lambda: "The clock was killed" in site.output(), "the clock to be missed", 10)
    began = time.monotonic()
    site.run.send_signal(signal.SIGINT)
    assert site.run.wait(40) == 0
    assert time.monotonic() - began < 20
    assert not [one for one in running if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
