"""`bin/run`: the whole site on one machine, until it is stopped.

In order: the port, the two servers, the tables, the demonstration, an administrator,
then web, workers and clock. Whatever this run started, it stops.
"""

import argparse
import contextlib
import io
import os
import secrets
import signal
import socket
import sys
import time
import types
import urllib.request
from pathlib import Path
from typing import NoReturn

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError, SystemCheckError

from newsroom import env, picture_check, quick_start, version
from newsroom.running import processes, servers, supervisor
from newsroom.running.servers import Refused

ROOT = Path(__file__).resolve().parent.parent.parent
VAR = env.var_dir()
ANSWER_SECONDS = 60.0


class Stopped(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


def say(line: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """0 after a stop that was asked for; 1 and one sentence otherwise."""
    parser = argparse.ArgumentParser(prog="bin/run", description=__doc__)
    parser.add_argument("--check", action="store_true", help="do the main job once on a throwaway database, then exit")
    parser.add_argument("--version", action="version", version=version.VERSION)
    parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        serve(port=_port(), host=os.environ.get("HOST", "127.0.0.1"))
    except Stopped:
        return 0
    except (Refused, ImproperlyConfigured) as fault:
        sys.stderr.write(f"{fault}\n")
    except SystemCheckError as fault:
        sys.stderr.write(f"{fault}\nThe configuration is not fit for production: see above.\n")
    except CommandError as fault:
        sys.stderr.write(f"{fault}\n")
    return 1


def serve(*, port: int, host: str) -> NoReturn:
    """Before: nothing is known to run. After (by exception only): nothing that this started runs."""
    require_free(port, host=host)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    os.environ.setdefault("PORT", str(port))
    with servers.alone(VAR, name="run"), servers.running(VAR) as used, processes.Group(ROOT, os.environ) as group:
        quick_start.begin()
        django.setup()
        call_command("check", fail_level="ERROR", deploy=not settings.DEBUG, stdout=io.StringIO())
        password = _fill()
        wanted = env.number("WEB_WORKERS", os.cpu_count() or 1, least=1, most=1_000)
        workers = 1 if settings.DEBUG else wanted
        group.start(supervisor.WEB, processes.web(port, host=host, workers=workers))
        start_workers(group)
        group.start("clock", processes.beat())
        await_answer(f"http://{_local(host)}:{port}/healthz", group)
        _announce(password, picture_check.at_start(server=f"http://{_local(host)}:{port}"))
        watch(supervisor.Supervisor(group, running=used, url=f"http://{_local(host)}:{port}/healthz", say=say))


def start_workers(group: processes.Group, *, log: Path | None = None) -> None:
    """Every worker of settings.WORKERS."""
    for worker in settings.WORKERS:
        command = processes.worker(name=worker.name, queues=worker.queues, processes=worker.processes)
        group.start(f"worker for {worker.name}", command, log=log, extra=processes.WORKER_ENVIRONMENT)


def require_free(port: int, *, host: str) -> None:
    """Refuses if another program listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sentence = f"Port {port} is taken by another program: stop it, or choose a port, as in PORT=8001 bin/run."
            if isinstance(error, PermissionError):
                sentence = (
                    f"Port {port} is not allowed to this user: choose a port above 1023, as in PORT=8001 bin/run."
                )
            raise Refused(sentence) from error


def await_answer(url: str, group: processes.Group) -> None:
    """Returns when the address answers 200; refuses when a program ends or a minute has passed."""
    end = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < end:
        _require_alive(group)
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  # our own http
            if response.status == 200:
                return
        time.sleep(0.05)
    raise Refused(f"The web server did not answer within {ANSWER_SECONDS:.0f} seconds; its messages are above.")


def watch(supervising: supervisor.Supervisor) -> NoReturn:
    """Supervise the programs until a signal comes."""
    while True:
        supervising.look()
        time.sleep(0.3)


def _require_alive(group: processes.Group) -> None:
    name = group.ended()
    if name:
        raise Refused(f"The {name} has ended by itself, so everything is stopped; its messages are above.")


def stop(number: int, _frame: types.FrameType | None) -> NoReturn:
    """The first signal stops in order; while that happens, further ones are ignored."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def _port() -> int:
    value = os.environ.get("PORT") or "8000"
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise Refused("PORT must be a number between 1 and 65535, as in PORT=8001 bin/run.")
    return int(value)


def _local(host: str) -> str:
    """An address at which a server bound to `host` answers this machine."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _fill() -> str | None:
    """Tables, files, demonstration and administrator; the password if one was ever made here."""
    call_command("migrate", interactive=False, verbosity=0)
    if not settings.DEBUG:
        call_command("collectstatic", interactive=False, verbosity=0)
        return None
    users = get_user_model().objects
    if not users.exists() and "demo" in get_commands():
        say("Loading the demonstration publication ...")
        call_command("demo", verbosity=0)
    return _administrator()


def _administrator() -> str | None:
    """Makes the user `admin` if no administrator exists; its first password stays in var/admin-password."""
    users, path = get_user_model().objects, VAR / "admin-password"
    if not users.filter(is_superuser=True).exists():
        password = secrets.token_urlsafe(12)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(password + "\n")
        users.create_superuser("admin", password=password)
    return path.read_text(encoding="ascii").strip() if path.exists() else None


def _announce(password: str | None, picture_fault: str | None) -> None:
    site = settings.SITE_URL
    say(f"The site:   {site}/")
    say(f"The admin:  {site}/admin/" + (f"   user admin, password {password}" if password else ""))
    if settings.DEBUG and settings.EMAIL_TRANSPORT == "local":
        say(f"The inbox:  {site}/inbox/   every mail that would be sent")
    if picture_fault:
        say(picture_fault)
    say("Ctrl-C stops everything.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
