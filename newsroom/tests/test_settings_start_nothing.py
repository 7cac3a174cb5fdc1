"""Reading the settings, as a type checker or an editor does, starts no server and writes no file."""

import json
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

# What the interpreter reports of its own deeds (sys.addaudithook), but for files that are opened to be read.
READ = """
import json, os, sys

deeds = []
DEEDS = ("subprocess.", "os.posix_spawn", "os.fork", "os.exec", "os.system", "os.mkdir", "os.rename", "os.remove",
         "os.chmod", "os.chown", "socket.connect", "socket.bind")

def note(event, arguments):
    if event.startswith(DEEDS) or event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        deeds.append(f"{event} {arguments[0]}")

sys.addaudithook(note)
from newsroom import settings
print(json.dumps({"deeds": deeds, "database": settings.DATABASE_URL, "redis": settings.REDIS_URL}))
"""


def test_reading_the_settings_starts_and_writes_nothing(tmp_path: Path) -> None:
    var = tmp_path / "var"
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-B", "-c", READ],
        cwd=settings.BASE_DIR,
        env={**environment, "VAR_DIR": str(var)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    result = json.loads(done.stdout)
    assert result["deeds"] == []
    assert not var.exists()
    assert result["database"].startswith("postgresql://newsroom_app@/newsroom?host=")
    assert result["redis"].startswith("unix:///")
