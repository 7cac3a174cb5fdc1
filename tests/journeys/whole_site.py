"""The whole site as `bin/run` starts it, beside a stage's database, Redis and mail server."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
from django.contrib.auth import get_user_model

from tests.journeys import stage as stages

# A part of the command line of each program.
PROGRAMS = {
    "web server": "granian",
    "worker for letters": "letters@%h",
    "worker for ticks": "ticks@%h",
    "worker for issues": "issues@%h",
    "clock": "beat",
}


class Site:
    """A running `bin/run`; its programs are its children."""

    def __init__(self, stage: stages.Stage, run: "subprocess.Popen[bytes]") -> None:
        self.stage = stage
        self.run = run
        self.log = max(stage.var.glob("run-*.log"))

    def program(self, name: str) -> psutil.Process | None:
        """The program of that name, if it runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.run.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if PROGRAMS[name] in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                        return child
        return None

    def output(self) -> str:
        """What the terminal shows."""
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def running(stage: stages.Stage) -> Iterator[Site]:
    """Inside: the site answers and every program runs. After: it was stopped as by Ctrl-C, and nothing of it runs."""
    # With somebody at the desk, the demonstration is not loaded.
    get_user_model().objects.create_superuser("chief", password="only for tests")
    stage.extra.setdefault("PORT", str(urlsplit(stage.site).port))
    run = stage.spawn("run", ["newsroom.running.serve"])
    site = Site(stage, run)
    try:
        stages.wait(lambda: "Ctrl-C stops everything" in site.output(), "the site to answer", 40, stage.logs)
        yield site
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(60)
