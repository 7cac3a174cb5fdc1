"""No address of a reader in a log, a task, or a page that fails; `tests/written.py` looks everywhere else."""

import json
import logging
from typing import Any

import pytest
from django.conf import settings as configured
from django.core import mail
from django.core.mail.backends.smtp import EmailBackend
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone

from newsroom import logs, urls
from newsroom.celery import app
from subscribers.letters import send
from subscribers.models import Letter, Newsletter, Subscriber
from tests import written
from tests.cast import RITA, ask, confirmed
from tests.faults import smtp_server
from tests.table import rows

pytestmark = pytest.mark.django_db


def twice(_request: HttpRequest) -> HttpResponse:
    """A page with a bug: the database says which address it has already, and so does the exception."""
    first = Subscriber.objects.get(address=RITA)
    Subscriber.objects.create(address=RITA, address_key=first.address_key, address_hash=first.address_hash)
    return HttpResponse()


urlpatterns = [path("twice/", twice), *urls.urlpatterns]


@pytest.mark.urls(__name__)
@rows("method", ["get", "post"])
def test_a_page_that_fails_names_nobody(
    newsletter: Newsletter, settings: Any, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    confirmed(RITA, newsletter)
    mail.outbox.clear()
    settings.DEBUG, settings.ADMINS = False, [("Chief", "chief@blocknews.example")]
    response = getattr(Client(raise_request_exception=False), method)("/twice/", {"address": RITA})
    assert response.status_code == 500
    formatter = logs.MaskingFormatter("{message}", style="{")
    lines = "\n".join(map(formatter.format, caplog.records))
    assert "duplicate key value" in lines
    assert written.addresses_in(lines + response.content.decode()) == []
    assert not mail.outbox


@rows("reply", [f"550 5.1.1 <{RITA}>: no such user", f"450 4.2.1 {RITA} is busy"])
def test_a_server_that_repeats_the_address_of_a_letter_makes_nobody_write_it(
    newsletter: Newsletter, reply: str, caplog: pytest.LogCaptureFixture
) -> None:
    ask(RITA, newsletter)
    rules = [{"at": "RCPT", "match": RITA, "do": "reply", "reply": reply}]
    with smtp_server.running({"rules": rules}) as server:
        backend = EmailBackend(host="127.0.0.1", port=server.port)
        send.send(letter_id=Letter.objects.get().pk, now=timezone.now(), connection=backend)
    letter = Letter.objects.get()
    assert letter.reason
    assert written.addresses_in(json.dumps(letter.reason_parameters) + letter.reason_sentence) == []
    assert written.addresses_in(caplog.text) == []


@pytest.mark.writes_addresses("so that it is seen")
def test_an_address_in_a_log_or_a_task_fails_the_test_that_wrote_it() -> None:
    logging.getLogger("subscribers").warning("no mail to %s", RITA)
    assert written.seen == [f"subscribers: no mail to {RITA}"]
    app.send_task("subscribers.tasks.send_letter", args=[RITA], queue="nobody takes this", ignore_result=True)
    assert written.seen[1:] == ["task: subscribers.tasks.send_letter"]
    client = written.broker(configured.REDIS_URL)
    (key,) = written.in_redis(client)
    assert key.endswith("nobody takes this")
    client.delete(key)
