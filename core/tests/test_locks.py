"""An advisory lock: one holder in all processes, and a connection that breaks takes nobody's exception away."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from core import locks

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
            with transaction.atomic():
                return locks.try_until_commit(NAME)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        for hold in (locks.wait_until_commit, locks.share_until_commit):
            with transaction.atomic():
                hold(NAME)
                assert not pool.submit(tried).result(10)
            assert pool.submit(tried).result(10)
