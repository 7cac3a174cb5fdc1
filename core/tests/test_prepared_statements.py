"""Our own prepared statements behave as Django's cursors do, and nothing else is prepared."""

import pytest
from django.db import DataError, connection, transaction
from django.db.transaction import TransactionManagementError

from core import prepared_statements

PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement = %s"


def prepared(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(PREPARED, [sql])
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_a_statement_is_prepared_at_once_and_no_other_ever_is() -> None:
    ours, djangos = "SELECT 'ours'", "SELECT 'django''s'"
    assert prepared_statements.rows(ours, []) == [("ours",)]
    with connection.cursor() as cursor:
        for _ in range(12):
            cursor.execute(djangos)
    assert (prepared(ours), prepared(djangos)) == (1, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("verb", [prepared_statements.rows, prepared_statements.count])
def test_its_errors_are_djangos(verb: object) -> None:
    with pytest.raises(DataError), transaction.atomic():
        verb("SELECT 1 / 0", [])  # type: ignore[operator]  # one of the two


@pytest.mark.django_db
def test_it_respects_a_transaction_that_has_failed() -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            prepared_statements.rows("SELECT 1", [])


@pytest.mark.django_db(transaction=True)
def test_it_connects_when_nobody_has() -> None:
    connection.close()
    assert prepared_statements.count("SELECT 1", []) == 1
