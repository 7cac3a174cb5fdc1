"""Simultaneous acts on real connections: one subscriber, one confirmation, one unbroken chain."""

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from mailkit import addresses
from subscribers import consent, import_storing, imports, links, signup, withdrawals
from subscribers.letters import send
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription
from tests import threads
from tests.cast import RITA, ask, evidence, make_newsletter, make_texts

pytestmark = pytest.mark.django_db(transaction=True)

RUNNERS = 6


@pytest.fixture
def newsletter(transactional_db: None) -> Newsletter:
    """Tech News, committed."""
    make_texts()
    return make_newsletter()


def at_once(act: Callable[[int], Any], *, runners: int = RUNNERS) -> list[Any]:
    """`act(0..n)` at the same instant; their results."""
    return threads.at_once(*[functools.partial(act, number) for number in range(runners)])


def request(newsletter: Newsletter, address: str) -> None:
    signup.request(
        address=addresses.normalise(address),
        newsletter_cadences=[(newsletter, "daily")],
        evidence=evidence(),
        now=timezone.now(),
    )


def test_simultaneous_requests_for_one_mailbox_make_one_subscriber(newsletter: Newsletter) -> None:
    spellings = [RITA, RITA.upper(), "Rita@reader.org", "rita@READER.ORG", RITA, RITA]
    results = at_once(lambda number: request(newsletter, spellings[number]))

    assert results == [None] * RUNNERS
    assert Subscriber.objects.count() == Subscription.objects.count() == 1
    assert Subscription.objects.get().request_number == RUNNERS
    assert ConsentEvent.objects.count() == RUNNERS
    assert consent.verify() is None


def test_simultaneous_requests_for_many_mailboxes_keep_one_chain(newsletter: Newsletter) -> None:
    results = at_once(lambda number: request(newsletter, f"r{number}@reader.org"))

    assert results == [None] * RUNNERS
    assert consent.verify() is None
    assert consent.head()[0] == RUNNERS


def test_a_confirm_link_pressed_many_times_at_once_acts_once(newsletter: Newsletter) -> None:
    subscriber = ask(RITA, newsletter)
    token = links.confirm_token(subscriptions=subscriber.subscriptions.all())
    results = at_once(lambda _: signup.confirm(token=token, evidence=evidence(), now=timezone.now()))

    assert sorted(confirmation.already for confirmation in results) == [False] + [True] * (RUNNERS - 1)
    assert ConsentEvent.objects.filter(kind="confirmed").count() == 1
    assert Letter.objects.filter(kind=Letter.Kind.WELCOME).count() == 1


def test_unsubscribing_many_times_at_once_is_one_withdrawal(newsletter: Newsletter) -> None:
    subscription = ask(RITA, newsletter).subscriptions.get()

    def leave(_number: int) -> bool:
        mine = Subscription.objects.get(pk=subscription.pk)
        return signup.unsubscribe(subscription=mine, evidence=evidence(), reason="one_click", now=timezone.now())

    assert sorted(at_once(leave)) == [False] * (RUNNERS - 1) + [True]
    assert ConsentEvent.objects.filter(kind="withdrawn").count() == 1


def test_a_letter_claimed_by_many_is_sent_by_one(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)
    letter = Letter.objects.get()
    claims = at_once(lambda _: send._claim(letter.pk, timezone.now()))

    assert sum(claim is not None for claim in claims) == 1


def test_imports_and_sign_ups_of_the_same_people_do_not_wait_for_each_other(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    people = [f"r{number}@reader.org" for number in range(30)]
    plan = imports.plan(newsletter=newsletter, cadence="daily", basis="a list")

    def act(number: int) -> None:
        order = people if number % 4 else people[::-1]
        if number % 2:
            file = tmp_path / f"{number}.csv"
            file.write_text("\n".join(order), encoding="utf-8")
            source = imports.open_source(path=file)
            imports.run(source=source, plan=plan, actor=None, now=timezone.now())
        else:
            for address in order:
                request(newsletter, address)

    assert at_once(act, runners=4) == [None] * 4
    assert Subscriber.objects.count() == len(people)
    assert consent.verify() is None


def test_who_signs_up_while_a_portion_is_stored_does_not_stop_it(
    newsletter: Newsletter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One signs up after the first look at the portion, another one after the second."""
    people = ["anna@reader.org", "bob@reader.org", "cy@reader.org"]
    look, waiting, signing_up = import_storing._locked, people[:2], list[threading.Thread]()

    def look_slowly(hashes: Any) -> Any:
        known = look(hashes)
        if waiting and threading.current_thread() is threading.main_thread():
            signing_up.append(
                threading.Thread(
                    target=at_once, args=[lambda _: request(newsletter, waiting.pop(0))], kwargs={"runners": 1}
                )
            )
            signing_up[-1].start()
            signing_up[-1].join(1)
        return known

    monkeypatch.setattr(import_storing, "_locked", look_slowly)
    file = tmp_path / "list.csv"
    file.write_text("email\n" + "\n".join(people), encoding="utf-8")
    plan = imports.plan(newsletter=newsletter, cadence="daily", basis="a list")
    report = imports.run(source=imports.open_source(path=file), plan=plan, actor=None, now=timezone.now())
    for thread in signing_up:
        thread.join()

    assert report.lines == len(people)
    assert len(signing_up) == 2
    assert Subscriber.objects.count() == Subscription.objects.count() == len(people)
    assert consent.verify() is None


def test_a_list_of_noes_and_a_list_of_yeses_at_once_confirm_nobody_who_said_no(
    newsletter: Newsletter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The yes asks who left; the no comes in just then, if it can; the yes goes on."""
    plan = imports.plan(newsletter=newsletter, cadence="daily", basis="a list")
    asked, is_kept = threading.Event(), threading.Event()
    in_force = withdrawals.in_force

    def ask_slowly(**arguments: Any) -> set[str]:
        left = in_force(**arguments)
        if threading.current_thread().name == "yes":
            asked.set()
            is_kept.wait(1)
        return left

    def bring_in(word: str) -> None:
        threading.current_thread().name = word
        file = tmp_path / f"{word}.csv"
        file.write_text(f"email,subscribed\n{RITA},{word}\n", encoding="utf-8")
        source = imports.open_source(path=file)
        if word == "no":
            asked.wait(5)
        imports.run(source=source, plan=plan, actor=None, now=timezone.now())
        if word == "no":
            is_kept.set()

    monkeypatch.setattr(withdrawals, "in_force", ask_slowly)
    assert at_once(lambda number: bring_in(["yes", "no"][number]), runners=2) == [None, None]
    assert not Subscription.objects.mailable(now=timezone.now()).exists()
    assert ConsentEvent.objects.filter(kind="withdrawn").exists()
