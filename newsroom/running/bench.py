"""`bin/bench [name]`: runs the scripts of benchmarks/, on servers of their own.

Each script prints one JSON line per figure on standard output; what a person should know
besides goes to standard error.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from newsroom.running import servers

ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str]) -> int:
    """0 if every script that was asked for ran to its end; 1 otherwise."""
    known = {path.stem: path for path in sorted((ROOT / "benchmarks").glob("[!_]*.py"))}
    wanted = arguments or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown or not known:
        names = ", ".join(known) or "none yet"
        sys.stderr.write(f"usage: bin/bench [name ...]\nBenchmarks: {names}.\n")
        return 0 if arguments in (["-h"], ["--help"]) else 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    var = Path(os.environ.setdefault("VAR_DIR", str(ROOT / "var" / "bench")))
    try:
        with servers.alone(var, name="bench"), servers.running(var):
            return max(run(known[name]) for name in wanted)
    except (servers.Refused, ImproperlyConfigured) as fault:
        sys.stderr.write(f"{fault}\n")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
    return 1


def run(script: Path) -> int:
    """Runs one script; its exit code, as 0 or 1."""
    sys.stderr.write(f"=== {script.stem}\n")
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{script.stem}"], cwd=ROOT, check=False)
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
