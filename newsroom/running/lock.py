"""`bin/lock`: writes the pinned requirements from the direct ones, with the hashes of all their files.

One file serves every Python and every system that we promise: what only some of them need
carries a marker, and a release's hashes are those of all its files. A pin that exists is
kept unless an argument asks for another, as in `bin/lock --upgrade-package Django`.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST_PYTHON = "3.11"
# The second is made under the constraint of the first, so that tests run on what the product runs on.
NAMES = ("requirements", "requirements-dev")


def main(arguments: list[str]) -> int:
    """0 if both files are written; otherwise uv's exit code, after its message."""
    for name in NAMES:
        options = ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes", "--quiet"]
        options += ["--custom-compile-command", "bin/lock", *arguments]
        command = [sys.executable, "-m", "uv", "pip", "compile", f"{name}.in", "-o", f"{name}.txt", *options]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
