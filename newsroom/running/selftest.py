"""`bin/run --check`: the main job once, end to end, on servers and data of its own.

Web server and workers are the real ones; the clock's work is asked for by command, so that
the trial need not wait for the hour of a digest.
"""

import io
import os
import signal
import sys
import time

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from newsroom import quick_start
from newsroom.running import processes, serve, temporary_servers
from newsroom.running.servers import Refused


def main(_arguments: list[str]) -> int:
    """0 if every step passed; 1 otherwise, after the sentence that names the step."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, serve.stop)
    began = time.monotonic()
    try:
        trial(port=temporary_servers.free_port())
    except serve.Stopped:
        sys.stderr.write("Stopped.\n")
    except (Refused, ImproperlyConfigured, CommandError) as fault:
        sys.stderr.write(f"{fault}\n")
    else:
        serve.say(f"The main job works: checked in {time.monotonic() - began:.0f} seconds.")
        return 0
    return 1


def trial(*, port: int) -> None:
    """After: every step passed, and nothing of the trial is left. On failure: CommandError names the step."""
    os.environ["PORT"] = str(port)
    with temporary_servers.place() as var, processes.Group(serve.ROOT, os.environ) as group:
        os.environ["DJANGO_SETTINGS_MODULE"] = "newsroom.settings"
        quick_start.begin()
        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("demo", stdout=io.StringIO())
        log = var / "programs.log"
        try:
            group.start("web server", processes.web(port, host="127.0.0.1", workers=1), log=log)
            serve.start_workers(group, log=log)
            serve.await_answer(f"http://127.0.0.1:{port}/healthz", group)
            call_command("journey")
        except (Refused, CommandError):
            sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-6000:] if log.exists() else "")
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
