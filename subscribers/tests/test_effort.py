"""While few confirmation letters are confirmed, a sign-up is paid with computing or with waiting, each good for one."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from altcha import v1 as altcha
from bs4 import BeautifulSoup, Tag
from django.test import Client
from django.utils import timezone

from subscribers import effort, signup_breaker
from subscribers.models import Letter, Newsletter, SpentEffort, Subscription
from subscribers.tests.conftest import Fill, form_token
from tests import redis_keys
from tests.cast import BOB, RITA, ask, confirmed

pytestmark = pytest.mark.django_db


@pytest.fixture
def tripped(newsletter: Newsletter, settings: Any) -> None:
    """Nobody answers."""
    settings.SIGNUP_BREAKER = settings.SIGNUP_BREAKER.__class__(
        percent=10, letters=3, hours=3, work=1_000, wait_seconds=30
    )
    for number in range(3):
        ask(f"victim-{number}@reader.org", newsletter)
    sent()


def sent(**about: object) -> None:
    Letter.objects.filter(kind=Letter.Kind.CONFIRM, **about).update(state=Letter.State.SENT, settled_at=timezone.now())
    redis_keys.forget()


def page_of(response: Any) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html5lib")


def hidden(page: BeautifulSoup) -> dict[str, str]:
    return {str(field["name"]): str(field.get("value", "")) for field in page.select("form.signup__form input[name]")}


def solution(page: BeautifulSoup) -> str:
    """What a script of Altcha's makes of the page's challenge."""
    form = page.select_one("form[data-challenge]")
    assert isinstance(form, Tag)
    challenge = json.loads(str(form["data-challenge"]))
    solved = altcha.solve_challenge(challenge["challenge"], challenge["salt"], "SHA-256", challenge["maxnumber"])
    assert solved is not None
    del challenge["maxnumber"]
    return base64.b64encode(json.dumps(challenge | {"number": solved.number}).encode()).decode()


def test_while_letters_are_confirmed_nothing_is_asked(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    assert not page_of(browser.post("/subscribe/", {"address": RITA})).select("[data-challenge], script[src*=effort]")
    assert browser.post("/subscribe/", fill()).status_code == 303


def test_a_solved_challenge_is_good_for_one_sign_up(browser: Client, tripped: None, fill: Fill) -> None:
    work = solution(page_of(browser.post("/subscribe/", {"address": RITA})))

    first = browser.post("/subscribe/", fill(altcha=work))
    again = browser.post("/subscribe/", fill(altcha=work, address=BOB))

    assert (first.status_code, first["Location"]) == (303, "/subscribe/sent/")
    assert again.status_code == 422
    assert "One moment, please" in again.content.decode()
    assert Letter.objects.filter(subscriber__address__in=[RITA, BOB]).count() == 1


@pytest.mark.parametrize(
    "forge",
    [
        lambda facts: facts | {"number": facts["number"] + 1},
        lambda facts: facts | {"signature": "0" * 64},
        lambda facts: facts | {"salt": facts["salt"].replace("expires=1", "expires=9")},
        lambda facts: facts | {"salt": None},
        lambda facts: [facts],
        lambda facts: "altcha",
    ],
)
def test_what_is_no_solution_of_ours_is_refused(browser: Client, tripped: None, fill: Fill, forge: Any) -> None:
    facts = json.loads(base64.b64decode(solution(page_of(browser.post("/subscribe/", {"address": RITA})))))
    work = base64.b64encode(json.dumps(forge(facts)).encode()).decode()

    assert browser.post("/subscribe/", fill(altcha=work)).status_code == 422
    assert not Subscription.objects.filter(subscriber__address=RITA).exists()


def test_an_old_solution_is_refused(browser: Client, tripped: None, fill: Fill) -> None:
    work = solution(page_of(browser.post("/subscribe/", {"address": RITA})))
    with time_machine.travel(timezone.now() + effort.LIFETIME + timedelta(seconds=2)):
        sent()
        assert browser.post("/subscribe/", fill(altcha=work, form_token=form_token())).status_code == 422


def test_who_runs_no_scripts_waits_and_loses_nothing(browser: Client, tripped: None, fill: Fill) -> None:
    page = page_of(browser.post("/subscribe/", fill()))
    assert "Wait 30 seconds" in page.get_text()
    early = browser.post("/subscribe/", hidden(page))
    assert "Wait 30 seconds" in page_of(early).get_text()

    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        late = browser.post("/subscribe/", hidden(page_of(early)))
        again = browser.post("/subscribe/", hidden(page_of(early)) | {"address": BOB})

    assert late.status_code == 303
    assert again.status_code == 422
    assert Subscription.objects.get(subscriber__address=RITA).cadence == "weekly"
    assert not Subscription.objects.filter(subscriber__address=BOB).exists()


def test_the_time_begins_with_the_page_of_the_choice(browser: Client, tripped: None, fill: Fill) -> None:
    waited = hidden(page_of(browser.post("/subscribe/", {"address": RITA})))["waited"]

    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert browser.post("/subscribe/", fill(waited=waited)).status_code == 303


def test_a_network_may_wait_five_times_an_hour(browser: Client, tripped: None, fill: Fill) -> None:
    tokens = [effort.ask(now=timezone.now()).waited for _ in range(6)]
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        responses = [
            browser.post("/subscribe/", fill(waited=token, address=f"r{number}@d{number}.org"))
            for number, token in enumerate(tokens)
        ]

    assert [response.status_code for response in responses] == [303] * 5 + [429]
    assert int(responses[-1]["Retry-After"]) > 60


def test_the_page_does_not_tell_whose_address_it_was(
    browser: Client, tripped: None, newsletter: Newsletter, fill: Fill
) -> None:
    confirmed(RITA, newsletter)
    pages = []
    for address in (RITA, BOB):
        form = page_of(browser.post("/subscribe/", fill(address=address))).select_one("form.signup__form")
        assert isinstance(form, Tag)
        pages.append(sorted(str(field["name"]) for field in form.select("[name]")))
    assert pages[0] == pages[1]


def test_confirmations_end_it_and_so_does_time(newsletter: Newsletter, tripped: None) -> None:
    assert signup_breaker.has_tripped(now=timezone.now())
    with time_machine.travel(timezone.now() + timedelta(hours=3, minutes=1)):
        redis_keys.forget()
        assert not signup_breaker.has_tripped(now=timezone.now())
    confirmed(RITA, newsletter)
    sent()
    assert signup_breaker.look(now=timezone.now()) == signup_breaker.Answers(sent=4, confirmed=1)
    assert not signup_breaker.has_tripped(now=timezone.now())


def test_zero_per_cent_is_never(tripped: None, settings: Any) -> None:
    settings.SIGNUP_BREAKER = settings.SIGNUP_BREAKER.__class__(0, 3, 3, 1_000, 30)
    assert not signup_breaker.has_tripped(now=timezone.now())


def test_what_was_spent_is_forgotten_once_it_is_too_old(browser: Client, tripped: None, fill: Fill) -> None:
    browser.post("/subscribe/", fill(altcha=solution(page_of(browser.post("/subscribe/", {"address": RITA})))))
    assert effort.forget_old(now=timezone.now() + effort.LIFETIME) == 0
    assert effort.forget_old(now=timezone.now() + 3 * effort.LIFETIME) == 1
    assert not SpentEffort.objects.exists()
