"""While the database is away, a visitor is asked to come back, and nothing is half written."""

import errno
import logging
import threading

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from newsroom import middleware
from subscribers import consent
from subscribers.models import ConsentEvent, Subscriber
from tests import ownership

pytestmark = pytest.mark.django_db(transaction=True)


def cut_off() -> None:
    """End this test's own connection, from another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]

    def cut() -> None:
        with ownership.owner(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        connection.close()

    other = threading.Thread(target=cut)
    other.start()
    other.join()


@pytest.mark.parametrize("path", ["/", "/newsletters/", "/feed.rss", "/subscribe/"])
def test_a_page_asks_to_come_back_and_then_works(client: Client, path: str, caplog: pytest.LogCaptureFixture) -> None:
    client.get(path)
    cut_off()
    with caplog.at_level(logging.ERROR):
        response = client.get(path)
    connection.close()

    assert response.status_code == 503
    assert response["Retry-After"] == str(middleware.RETRY_SECONDS)
    assert response.content.decode() == f"{middleware.SENTENCE}\n"
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ValueError("ours"), None),
        (FileNotFoundError(errno.ENOENT, "ours too"), None),
        (OSError(errno.ENOSPC, "No space left on device"), 503),
        (OSError(errno.EMFILE, "Too many open files"), 503),
    ],
)
def test_a_full_disk_is_an_outage_and_other_faults_stay_faults(fault: Exception, status: int | None) -> None:
    layer = middleware.AwayMiddleware(lambda _request: None)  # type: ignore[arg-type, return-value]  # never called here
    response = layer.process_exception(None, fault)  # type: ignore[arg-type]  # not looked at
    assert (response and response.status_code) == status


def begin_and_be_cut_off() -> None:
    with transaction.atomic():
        reader = Subscriber.objects.create(address="a@example.com", address_key="a@example.com", address_hash="0" * 64)
        consent.record(
            subscriber=reader,
            newsletter=None,
            event=ConsentEvent.Kind.REQUESTED,
            evidence=consent.Evidence(source="test"),
            now=timezone.now(),
        )
        cut_off()


def test_an_act_cut_in_the_middle_leaves_no_half_of_it() -> None:
    with pytest.raises(OperationalError):
        begin_and_be_cut_off()
    connection.close()
    assert not Subscriber.objects.exists()
    assert not ConsentEvent.objects.exists()
    assert consent.verify() is None
