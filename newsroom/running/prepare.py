"""Makes the virtual environment and hands over to what was asked for.

Runs before anything is installed, so it imports the standard library only. Packages
are installed again only when the pinned requirements (or Python itself) have changed.
"""

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# verb -> (the module that does it, the requirements that it needs)
VERBS = {
    "run": ("newsroom.running.serve", "requirements.txt"),
    "check": ("newsroom.running.selftest", "requirements.txt"),
    "test": ("newsroom.running.checks", "requirements-dev.txt"),
    "bench": ("newsroom.running.bench", "requirements-dev.txt"),
    "lock": ("newsroom.running.lock", "requirements-dev.txt"),
    "messages": ("newsroom.running.messages", "requirements-dev.txt"),
    "fonts": ("newsroom.running.fonts", "requirements-dev.txt"),
}


def say(sentence: str) -> None:
    """One line for the person at the terminal."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def fingerprint(requirements: str) -> str:
    """Changes whenever the installed packages would: with the pins, or with the Python of .venv."""
    digest = hashlib.sha256()
    for path in (VENV / "pyvenv.cfg", ROOT / "requirements.txt", ROOT / requirements):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def works() -> bool:
    """Whether .venv has a Python that starts and has pip (the system's may have been upgraded away)."""
    try:
        probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def create() -> None:
    """After: .venv has a working Python. Without Debian's python3-venv: one sentence and exit 1."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        sys.exit("Python's venv module is missing here: run `apt install python3-venv`, then start again.")
    say("Making .venv ...")
    finished = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        sys.exit(f"{finished.stdout}{finished.stderr}\n.venv could not be made in {ROOT}.")


def install(requirements: str) -> None:
    """After: the pinned packages are in .venv. On failure: pip's words, one sentence, exit 1."""
    mark = VENV / f".installed-{requirements}"
    if not works():
        create()
    wanted = fingerprint(requirements)
    if mark.exists() and mark.read_text(encoding="ascii") == wanted:
        return
    say(f"Installing the packages of {requirements} ...")
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    options = ["--require-hashes", "--prefer-binary", "-r", str(ROOT / requirements)]
    done = subprocess.run([*command, *options], check=False)
    if done.returncode != 0:
        sys.exit("The packages could not be installed: see pip's message above; the package index must be reachable.")
    mark.write_text(wanted, encoding="ascii")


def main(arguments: list[str]) -> None:
    """Prepares, then replaces this process with the verb's module."""
    verb, *rest = arguments
    if verb == "run" and "--check" in rest:
        verb = "check"
        rest.remove("--check")
    module, requirements = VERBS[verb]
    try:
        with (ROOT / ".setup.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            install(requirements)
    except OSError as error:
        sys.exit(f"{error.filename or ROOT}: {error.strerror}. The checkout must belong to the user who runs it.")
    os.chdir(ROOT)
    os.execv(PYTHON, [str(PYTHON), "-m", module, *rest])  # noqa: S606  # no shell, our own interpreter


if __name__ == "__main__":
    main(sys.argv[1:])
