"""bin/run says in one sentence what is wrong outside, and exits with 1."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from newsroom.running import prepare, temporary_servers

pytestmark = pytest.mark.slow


def run(tmp_path: Path, **environment: str) -> tuple[int, list[str]]:
    """bin/run after its set-up, with a var directory of its own."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "newsroom.running.serve"],
        cwd=settings.BASE_DIR,
        env={**inherited, "VAR_DIR": str(tmp_path), "PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.strip().splitlines()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, lines = run(tmp_path, PORT=port)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(f"Port {port} is taken")


@pytest.mark.parametrize("port", ["0", "eight", "65536", "-1"])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    code, lines = run(tmp_path, PORT=port)
    assert (code, len(lines)) == (1, 1)
    assert "between 1 and 65535" in lines[0]


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    url = "postgresql://user:hidden-word@127.0.0.1:1/news"
    code, lines = run(
        tmp_path, PORT=str(temporary_servers.free_port()), DATABASE_URL=url, REDIS_URL="redis://127.0.0.1:1/0"
    )
    assert (code, len(lines)) == (1, 1)
    assert "DATABASE_URL" in lines[0]
    assert "127.0.0.1:1" in lines[0]
    assert "hidden-word" not in lines[0]


def test_a_python_without_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SystemExit) as refusal:
        prepare.create()
    assert "apt install python3-venv" in str(refusal.value)
