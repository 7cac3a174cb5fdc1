"""Forms that take an address give the same response for the same work, for every address and however often."""

from collections.abc import Callable

import pytest
import time_machine
from django.db import connection
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailkit import addresses
from subscribers import erasure, signup, signup_breaker, suppression, throttle
from subscribers.models import Letter, Newsletter, Subscriber, Subscription, Suppression
from subscribers.tests.conftest import Fill, form_token
from tests.cast import BOB, RITA, ask, confirmed, evidence

pytestmark = pytest.mark.django_db


def pending(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)


def is_confirmed(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)


def has_left(newsletter: Newsletter) -> None:
    signup.unsubscribe(subscription=confirmed(RITA, newsletter), evidence=evidence(), reason="test", now=timezone.now())


def suppressed(newsletter: Newsletter) -> None:
    key = addresses.normalise(RITA).key
    suppression.suppress(address_key=key, reason=Suppression.Reason.COMPLAINT, actor=None, now=timezone.now())


def erased(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    erasure.erase(address_key=addresses.normalise(RITA).key, evidence=evidence(), actor=None, now=timezone.now())


def asked_a_moment_ago(newsletter: Newsletter) -> None:
    form, link = Client(REMOTE_ADDR="203.0.113.80"), {"address": RITA}
    form.post("/subscribe/", link | {"newsletters": ["tech-news"], "consent": "on", "form_token": form_token()})
    form.post("/preferences/", link)


STATES = [pending, is_confirmed, has_left, suppressed, erased, asked_a_moment_ago]
EVERY_STATE = pytest.mark.parametrize("state", STATES)


@EVERY_STATE
def test_a_sign_up_gets_the_same_answer_for_the_same_work(
    newsletter: Newsletter, fill: Fill, state: Callable[[Newsletter], None]
) -> None:
    state(newsletter)
    observable("/subscribe/", fill(address="warm@up.org"), network="203.0.113.7")
    unknown = observable("/subscribe/", fill(address=BOB), network="203.0.113.7")

    assert observable("/subscribe/", fill(), network="198.51.100.7") == unknown


@EVERY_STATE
def test_asking_for_the_preferences_takes_the_same_work(
    newsletter: Newsletter, state: Callable[[Newsletter], None]
) -> None:
    state(newsletter)
    observable("/preferences/", {"address": "warm@up.org"}, network="203.0.113.7")
    unknown = observable("/preferences/", {"address": BOB}, network="203.0.113.7")

    assert observable("/preferences/", {"address": RITA}, network="198.51.100.7") == unknown
    assert not Subscriber.objects.filter(address=BOB).exists()


def test_a_crowded_network_hears_when_to_come_back_whatever_the_address(newsletter: Newsletter, fill: Fill) -> None:
    is_confirmed(newsletter)
    letters, moment = Letter.objects.count(), timezone.now()
    signup_breaker.look(now=moment)
    for number in range(20):
        throttle.preferences(address=addresses.normalise(f"r{number}@elsewhere.net"), ip="198.51.100.7")

    forms: list[tuple[str, dict[str, object]]] = [("/subscribe/", fill()), ("/preferences/", {"address": RITA})]
    for path, typed in forms:
        answers = []
        for address in (RITA, BOB):
            with CaptureQueriesContext(connection) as work, time_machine.travel(moment, tick=False):
                response = Client(REMOTE_ADDR="198.51.100.7").post(path, typed | {"address": address})
            page = response.content.decode().replace(address, "")
            answers.append((response.status_code, page, response["Retry-After"], statements(work)))
        assert answers[0] == answers[1]
        assert answers[0][0] == 429
        assert "come from your network" in answers[0][1]
    assert Letter.objects.count() == letters


def test_only_a_reader_of_ours_gets_the_link(browser: Client, rita: Subscription) -> None:
    for address in (BOB, RITA, RITA):
        browser.post("/preferences/", {"address": address})

    letter = Letter.objects.get(kind=Letter.Kind.PREFERENCES)
    assert letter.subscriber == rita.subscriber


def test_the_page_after_it_names_no_address(browser: Client) -> None:
    assert b"@" not in browser.get("/subscribe/sent/").content


def observable(path: str, data: dict[str, object], *, network: str) -> tuple[object, ...]:
    """What an observer may measure: the response, the statements behind it, the tasks that its commit queues."""
    client = Client(enforce_csrf_checks=True, REMOTE_ADDR=network)
    # Its count holds for seconds and for all: so it is no part of the work for one address.
    signup_breaker.look(now=timezone.now())
    with CaptureQueriesContext(connection) as work, TestCase.captureOnCommitCallbacks() as queued:
        response = client.post(path, data)
    return response.status_code, response.content, dict(response.headers), statements(work), len(queued)


def statements(work: CaptureQueriesContext) -> list[str]:
    """The statements without their values: the verb and the table, the end of a savepoint apart."""
    return [" ".join(query["sql"].split()[:4]) for query in work.captured_queries if "SAVEPOINT" not in query["sql"]]
