"""The servers that come along: started once, found again, stopped cleanly, wherever the checkout lies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings

from newsroom import embedded, embedded_place
from tests import written

pytestmark = pytest.mark.slow

START = "import sys, pathlib; from newsroom import embedded; print(embedded.start_database(pathlib.Path(sys.argv[1])))"
NO_ACCOUNT = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another account")


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A var directory with a space in its name."""
    here = tmp_path / "some where" / "var"
    yield here
    embedded.remove(here)


def start_elsewhere(var: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", START, str(var)], cwd=settings.BASE_DIR, stdout=-1, text=True)


def test_two_starters_at_once_get_one_server(var: Path) -> None:
    starters = [start_elsewhere(var) for _ in range(3)]
    answers = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert answers == {embedded.start_database(var)}
    assert (embedded.place(var).home / "postgres.log").read_text(encoding="utf-8").count("lock file") == 0


def test_the_data_outlives_a_stop(var: Path) -> None:
    embedded.start_database(var)
    with psycopg.connect(embedded.place(var).owner_url) as connection:
        connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('é')")
    embedded.stop(var)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=str(embedded.place(var).sockets), user="newsroom", dbname="newsroom")
    embedded.start_database(var)
    with psycopg.connect(embedded.place(var).owner_url) as connection:
        assert connection.execute("SELECT upper(word) FROM kept").fetchone() == ("É",)


def test_the_log_of_the_database_repeats_no_value(var: Path) -> None:
    embedded.start_database(var)
    with psycopg.connect(embedded.place(var).owner_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE readers (address text UNIQUE)")
        connection.execute("INSERT INTO readers VALUES ('rita@reader.org')")
        for statement in ("INSERT INTO readers VALUES (%s)", "SELECT 1/0 WHERE %s > ''"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement, ["rita@reader.org"])
    log = embedded.place(var).home / "postgres.log"
    assert "duplicate key value" in log.read_text(encoding="utf-8")
    assert written.in_files(log) == []


def test_redis_never_evicts_and_listens_on_no_port(var: Path) -> None:
    assert embedded.start_redis(embedded.place(var)) is True
    with redis.Redis.from_url(embedded.place(var).redis_url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}
    assert embedded.start_redis(embedded.place(var)) is False


def test_a_pid_file_of_a_dead_server_is_no_obstacle(var: Path) -> None:
    embedded.start_database(var)
    embedded.stop(var)
    # The number now belongs to another program of the same account.
    embedded.start_redis(embedded.place(var))
    number = (embedded.place(var).home / "redis" / "redis.pid").read_text(encoding="ascii")
    (embedded.place(var).data / "postmaster.pid").write_text(number, encoding="ascii")
    assert embedded.start_postgres(embedded.place(var)) is True


@pytest.mark.parametrize("folder", ["deep/" * 60, "with space", "with,comma", "ümlaut"])
def test_sockets_fit_however_the_checkout_lies(tmp_path: Path, folder: str) -> None:
    here = embedded.place(tmp_path / folder / "var")
    assert len(os.fsencode(here.postgres_socket)) < embedded_place.SOCKET_PATH_BYTES
    assert embedded_place.PLAIN_PATH.fullmatch(str(here.sockets))


def test_two_checkouts_share_nothing(tmp_path: Path) -> None:
    first, second = (embedded.place(tmp_path / ("deep/" * 60) / name) for name in ("one", "two"))
    assert {first.home, first.sockets}.isdisjoint({second.home, second.sockets})


@NO_ACCOUNT
def test_root_leaves_a_private_home_as_it_is(tmp_path: Path) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    try:
        embedded.start_database(private / "var")
        assert private.stat().st_mode & 0o777 == 0o700
        assert embedded.place(private / "var").data.stat().st_uid != 0
    finally:
        embedded.remove(private / "var")


@NO_ACCOUNT
def test_a_starter_that_died_before_it_handed_its_directory_over_is_no_obstacle(var: Path) -> None:
    embedded.place(var).home.mkdir(mode=0o700)
    with psycopg.connect(embedded.start_database(var)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@NO_ACCOUNT
def test_programs_that_the_account_may_not_reach_are_copied(
    tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_runs", lambda _here, _program: False)
    with psycopg.connect(embedded.start_database(var)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert list(embedded.place(var).home.glob("programs-*"))
