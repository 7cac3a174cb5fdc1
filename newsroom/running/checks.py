"""`bin/test`: every check and every test, the cheapest first.

The main job, which waits a lot, runs beside the checks. All of them run even if one
fails; the last lines say which failed. With DATABASE_URL unset the tests have servers
of their own under var/test, so a living site is not touched, and this PostgreSQL does
not wait for its disk.

--quick leaves out the main job and every test that needs the database, a browser or a
running site; what is left takes less than a minute.
"""

import contextlib
import hashlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from django.core.exceptions import ImproperlyConfigured

from newsroom import cluster, embedded, env
from newsroom.running import chromium, servers

ROOT = Path(__file__).resolve().parent.parent.parent
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
PROCESSORS = os.cpu_count() or 1
MAIN_JOB = ("main job", ["-m", "newsroom.running.selftest"])
QUICK = "--quick"
# What a loss of power would damage is made again; a killed process, or server, loses nothing by these.
DURABILITY = ("fsync", "full_page_writes")
# name, and command after `python`, of what needs nothing that runs.
STATIC = [
    ("lint", ["-m", "ruff", "check", "."]),
    ("format", ["-m", "ruff", "format", "--check", "."]),
    ("templates", ["-m", "djlint", "templates", "--lint", "--quiet"]),
    ("import contracts", ["-c", LINT_IMPORTS, "--no-cache", "--no-logo"]),
]
TYPES = ("types", ["-m", "mypy", "."])


def say(line: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """0 if everything passed; 1 otherwise, with the names of what did not. Arguments go to pytest."""
    if arguments in (["--help"], ["-h"]):
        say(f"usage: bin/test [{QUICK}] [pytest arguments]\n\n{__doc__}")
        return 0
    # A stop from outside ends the step that runs and stops the servers, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    var = Path(os.environ.setdefault("VAR_DIR", str(ROOT / "var" / "test")))
    # Else each process of the tests compiles every test again, on every run.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("TEST_DB_SUFFIX", hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:8])
    is_embedded = not env.text("DATABASE_URL")
    try:
        with servers.alone(var, name="test"), servers.running(var):
            if is_embedded:
                disable_durability(var)
            return verify_quickly(arguments) if QUICK in arguments else verify(arguments)
    except (servers.Refused, ImproperlyConfigured) as fault:
        sys.stderr.write(f"{fault}\n")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
    return 1


def disable_durability(var: Path) -> None:
    """After: no commit on the embedded PostgreSQL of this directory waits for the disk."""
    sockets = str(embedded.place(var).sockets)
    with psycopg.connect(host=sockets, user=cluster.SUPERUSER, dbname="postgres", autocommit=True) as session:
        for parameter in DURABILITY:
            session.execute(f"ALTER SYSTEM SET {parameter} = off".encode())
        session.execute("SELECT pg_reload_conf()")


def verify(arguments: list[str]) -> int:
    """Runs every step; the exit code of the whole."""
    browser = chromium.obtain()
    if browser:
        os.environ["CHROMIUM"] = browser
    with aside(*MAIN_JOB) as main_job:
        failed = [name for name, command, extra in checks() if not passes(name, command, extra)]
        if not main_job():
            failed.append(MAIN_JOB[0])
    if not passes("tests", tests(arguments), {}):
        failed.append("tests")
    if not browser:
        say(f"\n*** {chromium.MISSING} ***")
    return conclude(failed)


def verify_quickly(arguments: list[str]) -> int:
    """The checks that need nothing that runs, and the tests that need no database; the exit code of the whole."""
    with aside(*TYPES) as types:
        failed = [name for name, command in STATIC if not passes(name, command, {})]
        if not passes("tests", tests(arguments), {}):
            failed.append("tests")
        if not types():
            failed.append(TYPES[0])
    return conclude(failed)


def conclude(failed: list[str]) -> int:
    """Says which steps failed; the exit code."""
    say(f"\nFAILED: {', '.join(failed)}." if failed else "\nEverything passed.")
    return 1 if failed else 0


def checks() -> list[tuple[str, list[str], dict[str, str]]]:
    """(name, command after `python`, environment) of what needs no running product, in order."""
    return [
        *((name, command, {}) for name, command in (*STATIC, TYPES)),
        ("migrations", ["manage.py", "makemigrations", "--check", "--dry-run"], {}),
        ("production settings", ["manage.py", "check", "--deploy", "--fail-level", "WARNING", *asked()], production()),
    ]


def asked() -> list[str]:
    """Options that leave the servers of this run out, unless they are as safe as a deployment's should be.

    Those that are lent for tests may well have one role for everything, and no password.
    """
    return [] if env.text("DATABASE_OWNER_URL") and env.text("REDIS_URL").startswith("unix:") else ["--tag", "security"]


def tests(arguments: list[str]) -> list[str]:
    """The command after `python` for pytest. Which tests stay on one process is said in tests/sharing.py."""
    # Journeys wait more than they compute, so one process more than there are processors keeps those busy.
    processes = PROCESSORS if QUICK in arguments else PROCESSORS + 1
    workers = (
        [] if {"-n", "--pdb", "--numprocesses"} & set(arguments) else ["-n", str(processes), "--dist", "loadscope"]
    )
    return ["-m", "pytest", "-q", *workers, *arguments]


def production() -> dict[str, str]:
    """An environment as a deployment has it; its keys are made for this one check."""
    return {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ADDRESS_HASH_KEY": secrets.token_urlsafe(50),
        "SITE_URL": "https://news.example.org",
        "ALLOWED_HOSTS": "news.example.org",
        "EMAIL_URL": "anymail+mailgun://key@mg.example.org?webhook_signing_key=secret",
        **({"REDIS_URL": "rediss://:secret@redis.example.org/0", "CACHE_URL": ""} if asked() else {}),
    }


def passes(name: str, command: list[str], extra: dict[str, str]) -> bool:
    """Runs one step and says how it went; its own output is left as it is."""
    say(f"\n=== {name}")
    began = time.monotonic()
    environment = {**os.environ, **extra}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
    return judge(name, done.returncode, time.monotonic() - began)


def judge(name: str, code: int, seconds: float) -> bool:
    """Says how a step went, and returns it."""
    say(f"=== {name}: {'passed' if code == 0 else 'FAILED'} in {seconds:.0f} s")
    return code == 0


@contextlib.contextmanager
def aside(name: str, command: list[str]) -> Iterator[Callable[[], bool]]:
    """Runs one step beside the block. What is yielded waits for it, shows its output and says how it went."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )

        def finish() -> bool:
            code = child.wait()
            output.seek(0)
            say(f"\n=== {name} (beside the checks above)\n{output.read().decode(errors='replace').rstrip()}")
            return judge(name, code, time.monotonic() - began)

        try:
            yield finish
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
