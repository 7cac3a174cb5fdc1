"""A connection is checked before it is used in a request, and the check mostly costs no statement."""

import os
import socket
from unittest import mock

import pytest
from django.db import close_old_connections, connection
from django.db.backends.postgresql import base

pytestmark = pytest.mark.django_db(transaction=True)


def _number() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_session_that_has_ended_is_replaced_within_the_second() -> None:
    close_old_connections()
    first = _number()
    close_old_connections()
    assert _number() == first
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as channel:
        channel.shutdown(socket.SHUT_RDWR)
    close_old_connections()
    assert _number() != first


def test_a_connection_is_asked_once_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    close_old_connections()
    _number()
    monkeypatch.setattr(connection, "_asked_at", float("-inf"))
    ask = mock.Mock(return_value=True)
    monkeypatch.setattr(base.DatabaseWrapper, "is_usable", ask)
    assert all(connection.is_usable() for _ in range(20))
    assert ask.call_count == 1
