"""A publisher moves readers to a lower cadence: who is moved, the one letter, and the way back."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from core import database_clock
from staff.models import AuditEvent
from subscribers import consent, links, preferences, reductions, signup, suppression
from subscribers.letters import queue, send
from subscribers.models import (
    ConsentEvent,
    Letter,
    Newsletter,
    ReducedSubscription,
    Reduction,
    Subscription,
    Suppression,
)
from tests.cast import BOB, RITA, ask, confirmed, evidence, import_readers
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def rita(newsletter: Newsletter) -> Subscription:
    """Rita gets each story at once."""
    return confirmed(RITA, newsletter, cadence="instant")


def begin(newsletter: Newsletter, before: str = "instant", after: str = "daily") -> Reduction:
    return reductions.begin(newsletter=newsletter, before=before, after=after, actor=None, now=timezone.now())


def work(reduction: Reduction) -> None:
    assert not reductions.work(reduction_id=reduction.pk, clock=database_clock.now)


def move(newsletter: Newsletter, before: str = "instant", after: str = "daily") -> Reduction:
    reduction = begin(newsletter, before, after)
    work(reduction)
    return reduction


def cadences(newsletter: Newsletter) -> dict[str, str]:
    return dict(newsletter.subscriptions.values_list("subscriber__address", "cadence"))


def link() -> str:
    """The path behind the button of the last letter; whatever waits leaves first."""
    send.sweep(clock=timezone.now)
    path: str = re.findall(r"/keep/[^/\s]+/", str(mail.outbox[-1].body))[0]
    return path


def h1(client: Client, path: str, *, press: bool = False) -> str:
    response = client.post(path) if press else client.get(path)
    return BeautifulSoup(response.content, "html5lib").select("h1")[0].get_text(" ", strip=True)


def test_readers_of_the_cadence_are_moved_and_get_one_letter_each(newsletter: Newsletter, rita: Subscription) -> None:
    confirmed(BOB, newsletter, cadence="weekly")
    Letter.objects.all().delete()
    (to_daily, _to_weekly) = [one for one in reductions.moves(newsletter=newsletter) if one.before == "instant"]
    assert (to_daily.readers, to_daily.chose) == (1, 0)

    reduction = move(newsletter)
    work(reduction)
    reductions.sweep()
    assert cadences(newsletter) == {RITA: "daily", BOB: "weekly"}
    send.sweep(clock=timezone.now)
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == ([RITA], "Tech News: from now on daily")
    assert "Keep sending me every story" in str(letter.body)
    assert letter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert AuditEvent.objects.get(action="readers_moved").detail == {
        "before": "instant", "after": "daily", "readers": 1,
    }  # fmt: skip


def test_the_record_says_who_changed_it_and_the_consent_stays_the_readers_own(
    newsletter: Newsletter, rita: Subscription
) -> None:
    yes = rita.consent_event
    move(newsletter)
    rita.refresh_from_db()
    act = ConsentEvent.objects.latest("pk")

    assert (act.kind, act.source, act.cadence, act.basis) == ("reduced", "publication", "daily", "instant before")
    assert rita.consent_event == yes
    assert list(Subscription.objects.all().mailable(now=timezone.now())) == [rita]
    assert consent.verify() is None


@rows(
    ("before", "after"),
    [("daily", "instant"), ("daily", "daily"), ("weekly", "daily"), ("instant", "monthly"), ("", "daily")],
)
def test_nothing_ever_comes_more_often(newsletter: Newsletter, before: str, after: str) -> None:
    """The last but one is lower, and not offered."""
    with pytest.raises(reductions.CannotReduce, match="comes less often"):
        begin(newsletter, before, after)
    if after != "monthly":
        with pytest.raises(IntegrityError), transaction.atomic():
            Reduction.objects.create(newsletter=newsletter, before=before, after=after, readers=0)


def test_who_is_left_alone(newsletter: Newsletter, rita: Subscription) -> None:
    suppression.suppress_hash(
        address_hash=rita.subscriber.address_hash, reason=Suppression.Reason.COMPLAINT, now=timezone.now()
    )
    ask("pending@reader.org", newsletter, cadence="instant")
    bob = confirmed(BOB, newsletter, cadence="daily")
    reduction = begin(newsletter)
    assert reduction.readers == 0
    later = timezone.now() + timedelta(seconds=1)
    preferences.change_cadence(subscription=bob, cadence="instant", evidence=evidence(), now=later)
    work(reduction)

    assert set(cadences(newsletter).values()) == {"instant"}
    assert not Letter.objects.filter(kind="reduced").exists()


def test_a_digest_on_one_weekday_is_no_more_than_weekly(newsletter: Newsletter) -> None:
    Subscription.objects.filter(pk=confirmed(RITA, newsletter).pk).update(days="0")
    Subscription.objects.filter(pk=confirmed(BOB, newsletter).pk).update(days="024")
    move(newsletter, "daily", "weekly")
    assert cadences(newsletter) == {RITA: "daily", BOB: "weekly"}

    Subscription.objects.filter(cadence="daily").update(days="")
    newsletter.offers.filter(cadence="daily").update(any_days=True)
    reductions.keep(moved=ReducedSubscription.objects.get(), evidence=evidence(), now=timezone.now())
    assert newsletter.subscriptions.get(subscriber__address=BOB).days == "024"


def test_who_paused_is_told_when_the_pause_ends(newsletter: Newsletter, rita: Subscription) -> None:
    until, sooner = (timezone.now() + timedelta(days=days) for days in (9, 4))
    preferences.pause(subscription=rita, until=until, now=timezone.now())
    move(newsletter)
    letter = Letter.objects.get(kind="reduced")
    assert letter.due_at == until

    preferences.pause(subscription=rita, until=sooner, now=timezone.now())
    send.sweep(clock=timezone.now)
    assert all(message.subject != "Tech News: from now on daily" for message in mail.outbox)
    assert send.send(letter_id=letter.pk, now=sooner + timedelta(minutes=1)) == "sent"


def test_a_worker_that_dies_leaves_whole_batches_and_the_next_goes_on(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_readers(*(f"reader-{number}@reader.org" for number in range(5)), newsletter=newsletter, cadence="instant")
    monkeypatch.setattr(reductions, "BATCH", 2)
    reduction = begin(newsletter)
    written = queue.enqueue_many

    def dies_later(*, kind: Letter.Kind, subscriptions: Sequence[Subscription], now: datetime) -> list[Letter]:
        letters = written(kind=kind, subscriptions=subscriptions, now=now)
        if ReducedSubscription.objects.exists():
            raise SystemExit
        return letters

    with monkeypatch.context() as until_then:
        until_then.setattr(queue, "enqueue_many", dies_later)
        with pytest.raises(SystemExit):
            work(reduction)
    assert list(cadences(newsletter).values()).count("daily") == 2
    assert ConsentEvent.objects.filter(kind="reduced").count() == Letter.objects.filter(kind="reduced").count() == 2

    work(reduction)
    reduction.refresh_from_db()
    assert reduction.finished_at is not None
    assert list(cadences(newsletter).values()).count("daily") == 5
    assert ConsentEvent.objects.filter(kind="reduced").count() == Letter.objects.filter(kind="reduced").count() == 5


def test_one_move_at_a_time(newsletter: Newsletter, rita: Subscription) -> None:
    reduction = begin(newsletter)
    with pytest.raises(reductions.CannotReduce, match="already"):
        begin(newsletter, "daily", "weekly")
    work(reduction)
    with pytest.raises(reductions.CannotReduce, match="letters"):
        begin(newsletter, "daily", "weekly")
    send.sweep(clock=timezone.now)
    assert move(newsletter, "daily", "weekly").readers == 1


def test_one_press_gives_it_back_once_and_for_later_moves_too(
    browser: Client, newsletter: Newsletter, rita: Subscription
) -> None:
    move(newsletter)
    path = link()
    assert h1(browser, path) == "How often Tech News comes"
    browser.head(path)
    assert cadences(newsletter) == {RITA: "daily"}

    assert h1(browser, path, press=True) == h1(browser, path, press=True) == h1(browser, path) == "Your wish is noted"
    rita.refresh_from_db()
    assert rita.cadence == "instant"
    assert rita.consent_event is not None
    assert (rita.consent_event.kind, rita.consent_event.source) == ("confirmed", "kept")
    assert ConsentEvent.objects.filter(source="kept").count() == 1
    assert browser.cookies == {}
    assert not [one for one in reductions.moves(newsletter=newsletter) if one.before == "instant"]


def _left(rita: Subscription) -> None:
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())


def _came_back(rita: Subscription) -> None:
    _left(rita)
    preferences.subscribe_again(subscription=rita, evidence=evidence(), now=timezone.now())


def _chose(rita: Subscription) -> None:
    preferences.change_cadence(subscription=rita, cadence="weekly", evidence=evidence(), now=timezone.now())


def _is_not_offered(rita: Subscription) -> None:
    rita.newsletter.offers.filter(cadence="instant").update(is_active=False)


@rows("since", [_left, _came_back, _chose, _is_not_offered])
def test_the_press_does_nothing_for_who_left_or_chose_otherwise_since(
    browser: Client, newsletter: Newsletter, rita: Subscription, since: Callable[[Subscription], None]
) -> None:
    move(newsletter)
    path = link()
    rita.refresh_from_db()
    since(rita)
    before = newsletter.subscriptions.values_list("state", "cadence", "consent_event").get()

    assert h1(browser, path, press=True) == "Nothing was changed"
    assert newsletter.subscriptions.values_list("state", "cadence", "consent_event").get() == before


@rows("since", [_left, _chose])
def test_a_letter_that_is_overtaken_does_not_leave(
    newsletter: Newsletter, rita: Subscription, since: Callable[[Subscription], None]
) -> None:
    move(newsletter)
    rita.refresh_from_db()
    since(rita)
    assert send.send(letter_id=Letter.objects.get(kind="reduced").pk, now=timezone.now()) == "expired"


def test_a_link_that_is_too_old_mails_a_fresh_one(
    browser: Client, newsletter: Newsletter, rita: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(newsletter)
    path = link()
    with monkeypatch.context() as later:
        later.setattr(links, "KEEP_AGE", timedelta(seconds=-1))
        assert browser.get(path).status_code == 410
        assert browser.post(path)["Location"].endswith("?sent=1")
        assert h1(browser, f"{path}?sent=1") == "Look in your inbox"
    assert cadences(newsletter) == {RITA: "daily"}
    assert [message.subject for message in mail.outbox].count("Tech News: from now on daily") == 1
    assert h1(browser, link(), press=True) == "Your wish is noted"


def test_a_forged_link_does_nothing(browser: Client, newsletter: Newsletter, rita: Subscription) -> None:
    move(newsletter)
    assert browser.post(f"{link()[:-3]}xx/").status_code == 400
    assert cadences(newsletter) == {RITA: "daily"}
