"""`bin/test`: every check and every test, in the order in which a failure is cheapest.

All of them run even if one fails; the last lines say which failed. With DATABASE_URL
unset the tests have servers of their own under var/test, so a living site is not touched.
"""

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from newsroom.running import chromium, servers

ROOT = Path(__file__).resolve().parent.parent.parent
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
# Tests that share a browser and its site stay together on one process.
WORKERS = ("-n", "2", "--dist", "loadgroup")


def say(line: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """0 if everything passed; 1 otherwise, with the names of what did not. Arguments go to pytest."""
    if arguments in (["--help"], ["-h"]):
        say(f"usage: bin/test [pytest arguments]\n\n{__doc__}")
        return 0
    # A stop from outside ends the step that runs and stops the servers, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    var = Path(os.environ.setdefault("VAR_DIR", str(ROOT / "var" / "test")))
    os.environ.setdefault("TEST_DB_SUFFIX", hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:8])
    try:
        with servers.alone(var, name="test"), servers.running(var):
            return verify(arguments)
    except (servers.Refused, ImproperlyConfigured) as fault:
        sys.stderr.write(f"{fault}\n")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
    return 1


def verify(arguments: list[str]) -> int:
    """Runs every step; the exit code of the whole."""
    browser = chromium.obtain()
    if browser:
        os.environ["CHROMIUM"] = browser
    failed = [name for name, command, extra in steps(arguments) if not passes(name, command, extra)]
    if not browser:
        say(f"\n*** {chromium.MISSING} ***")
    say(f"\nFAILED: {', '.join(failed)}." if failed else "\nEverything passed.")
    return 1 if failed else 0


def steps(arguments: list[str]) -> list[tuple[str, list[str], dict[str, str]]]:
    """(name, command after `python`, environment) of every check, in order."""
    workers = [] if {"-n", "--pdb", "--numprocesses"} & set(arguments) else [*WORKERS]
    return [
        ("lint", ["-m", "ruff", "check", "."], {}),
        ("format", ["-m", "ruff", "format", "--check", "."], {}),
        ("templates", ["-m", "djlint", "templates", "--lint", "--quiet"], {}),
        ("import contracts", ["-c", LINT_IMPORTS, "--no-cache", "--no-logo"], {}),
        ("types", ["-m", "mypy", "."], {}),
        ("migrations", ["manage.py", "makemigrations", "--check", "--dry-run"], {}),
        ("production settings", ["manage.py", "check", "--deploy", "--fail-level", "WARNING"], production()),
        ("main job", ["-m", "newsroom.running.trial"], {}),
        ("tests", ["-m", "pytest", "-q", *workers, *arguments], {}),
    ]


def production() -> dict[str, str]:
    """An environment as a deployment has it; its keys are made for this one check."""
    return {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ADDRESS_HASH_KEY": secrets.token_urlsafe(50),
        "SITE_URL": "https://news.example.org",
        "ALLOWED_HOSTS": "news.example.org",
        "EMAIL_URL": "anymail+mailgun://key@mg.example.org?webhook_signing_key=secret",
    }


def passes(name: str, command: list[str], extra: dict[str, str]) -> bool:
    """Runs one step and says how it went; its own output is left as it is."""
    say(f"\n=== {name}")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **extra}, stdin=subprocess.DEVNULL, check=False
    )
    say(f"=== {name}: {'passed' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
