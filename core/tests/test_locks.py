"""An advisory lock: one holder in all processes, and a connection that breaks takes nobody's exception away."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, transaction

from core import locks
from tests import ownership

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "tests of locks"


def free_for_another() -> bool:
    def look() -> bool:
        try:
            with locks.advisory_lock(NAME) as held:
                return held
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result(10)


def test_it_has_one_holder_and_is_given_back() -> None:
    with locks.advisory_lock(NAME) as held:
        assert held
        assert not free_for_another()
        assert not free_for_another(), "the one who found it taken has given it back"
    assert free_for_another()


def test_it_is_given_back_whatever_happens() -> None:
    with pytest.raises(ZeroDivisionError), locks.advisory_lock(NAME):
        raise ZeroDivisionError
    assert free_for_another()


def test_a_connection_that_breaks_gives_it_back_and_hides_nothing() -> None:
    def break_off() -> None:
        connection.connection.close()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), locks.advisory_lock(NAME):
        break_off()
    connection.close()
    assert free_for_another()


def test_what_was_not_held_is_not_given_back() -> None:
    """PostgreSQL would warn of it in its log each time."""
    warned: list[str] = []
    with locks.advisory_lock(NAME), ThreadPoolExecutor(1) as pool:

        def look() -> None:
            try:
                connection.ensure_connection()
                connection.connection.add_notice_handler(lambda notice: warned.append(str(notice.message_primary)))
                with locks.advisory_lock(NAME) as held:
                    assert not held
            finally:
                connection.close()

        pool.submit(look).result(10)
    assert warned == []


def test_a_lock_of_a_transaction_is_shared_or_held_alone_until_its_end() -> None:
    def tried() -> bool:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.key(NAME)])
                return bool(cursor.fetchone()[0])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        for hold in (locks.wait_until_commit, locks.share_until_commit):
            with transaction.atomic():
                hold(NAME)
                assert not pool.submit(tried).result(10)
            assert pool.submit(tried).result(10)


@contextlib.contextmanager
def held_by_another(*statements: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Another process's session, which holds the lock and is at the last of the statements, or at nothing."""
    application = ownership.application_settings()
    session = psycopg.connect(
        dbname=connection.settings_dict["NAME"],
        user=ownership.application(),
        password=application["PASSWORD"],
        host=application["HOST"],
        port=application["PORT"],
        autocommit=True,
    )
    with contextlib.closing(session) as other, ThreadPoolExecutor(1) as pool:
        other.execute(locks.UNTIL_DISCONNECT, [locks.key(NAME)])
        work = [pool.submit(other.execute, statement) for statement in statements]
        try:
            yield other
        finally:
            other.cancel()
            for one in work:
                one.exception(10)


def silent_for(seconds: float) -> None:
    """Let the database's clock go on for so long."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def test_a_sleeper_loses_it_with_its_connection() -> None:
    """As a process that is stopped: its connection stays open for as long as it sleeps."""
    with held_by_another() as sleeper:
        silent_for(0.2)
        with locks.advisory_lock(NAME, asleep_after=60) as held:
            assert not held, "it has only just begun to be silent"
        with locks.advisory_lock(NAME, asleep_after=0.1) as held:
            assert held
        with pytest.raises(psycopg.OperationalError):
            sleeper.execute("SELECT 1")


def test_a_sleeper_in_a_transaction_loses_it_too() -> None:
    with held_by_another() as sleeper:
        sleeper.autocommit = False
        sleeper.execute("SELECT 1")
        silent_for(0.2)
        with locks.advisory_lock(NAME, asleep_after=0.1) as held:
            assert held


def test_a_holder_that_waits_for_a_long_statement_does_not_sleep() -> None:
    with held_by_another("SELECT pg_sleep(30)"):
        silent_for(0.3)
        with locks.advisory_lock(NAME, asleep_after=0.1) as held:
            assert not held


def test_who_holds_another_lock_is_left_alone() -> None:
    with held_by_another() as sleeper:
        silent_for(0.2)
        with locks.advisory_lock(f"{NAME} 2", asleep_after=0.1) as held:
            assert held
        assert sleeper.execute("SELECT 1").fetchone() == (1,)
