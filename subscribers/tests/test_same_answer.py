"""A sign-up is answered alike, with the same work, whoever the address belongs to."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailkit import addresses
from subscribers import erasure, signup, suppression
from subscribers.models import Letter, Newsletter, Subscriber, Suppression
from subscribers.tests.conftest import BOB, RITA, Fill, ask, confirmed, evidence

pytestmark = pytest.mark.django_db


def pending(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)


def is_confirmed(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)


def has_left(newsletter: Newsletter) -> None:
    signup.unsubscribe(subscription=confirmed(RITA, newsletter), evidence=evidence(), reason="test", now=timezone.now())


def suppressed(newsletter: Newsletter) -> None:
    key = addresses.normalise(RITA).key
    suppression.suppress(address_key=key, reason=Suppression.Reason.COMPLAINT, now=timezone.now())


def erased(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    erasure.erase(address_key=addresses.normalise(RITA).key, evidence=evidence(), now=timezone.now())


STATES = [pending, is_confirmed, has_left, suppressed, erased]


@pytest.mark.parametrize("state", STATES)
def test_every_address_gets_the_same_answer_for_the_same_work(
    browser: Client, newsletter: Newsletter, fill: Fill, state: Callable[[Newsletter], None]
) -> None:
    state(newsletter)
    browser.post("/subscribe/", fill(address="warm@up.org"))
    with CaptureQueriesContext(
        connection,
    ) as unknown_work:
        unknown = browser.post("/subscribe/", fill(address=BOB))
    with CaptureQueriesContext(connection) as known_work:
        known = browser.post("/subscribe/", fill())

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert dict(known.headers) == dict(unknown.headers)
    assert statements(known_work) == statements(unknown_work)


def test_an_address_that_asks_too_often_gets_the_same_answer(
    browser: Client, newsletter: Newsletter, fill: Fill
) -> None:
    first = browser.post("/subscribe/", fill())
    with CaptureQueriesContext(connection) as work:
        second = browser.post("/subscribe/", fill())
    with CaptureQueriesContext(connection) as unknown_work:
        browser.post("/subscribe/", fill(address=BOB))

    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert dict(second.headers) == dict(first.headers)
    assert statements(work) == statements(unknown_work)


def test_asking_for_the_preferences_takes_the_same_work_for_strangers(browser: Client, newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    before = Letter.objects.count()
    browser.post("/preferences/", {"address": "warm@up.org"})
    with CaptureQueriesContext(connection) as unknown_work:
        unknown = browser.post("/preferences/", {"address": BOB})
    assert Letter.objects.count() == before
    assert not Subscriber.objects.filter(address=BOB).exists()
    with CaptureQueriesContext(connection) as known_work:
        known = browser.post("/preferences/", {"address": RITA})

    assert Letter.objects.count() == before + 1
    assert (known.status_code, dict(known.headers)) == (unknown.status_code, dict(unknown.headers))
    assert statements(known_work) == statements(unknown_work)


def test_the_page_after_it_names_no_address(browser: Client) -> None:
    assert b"@" not in browser.get("/subscribe/sent/").content


def statements(work: CaptureQueriesContext) -> list[str]:
    """The statements without their values: the verb and the table, savepoints apart."""
    return [" ".join(query["sql"].split()[:4]) for query in work.captured_queries if "SAVEPOINT" not in query["sql"]]
