"""A newsletter with readers, an approved issue, and a transport that does what a test says."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from digests import freezing
from digests.models import Delivery, Issue, Snapshot, Variant
from digests.sending import preparing
from mailkit import addresses, segments
from postal import transports
from postal.transports.base import Copy, Outcome, Phase
from subscribers.models import Cadence, ConsentEvent, Newsletter, Subscriber, Subscription
from tests.faults import lane_processes, smtp_server
from tests.journeys import stage as stages

HEADERS = [("From", "news@example.com"), ("To", "%%to%%"), ("Subject", "Today"), ("Message-ID", "%%message_id%%")]
counter = itertools.count(1)
# Of an issue over which lanes are killed, and of each of their batches.
READERS, IN_FLIGHT = 30, 10


def _consent(subscriber: Subscriber, newsletter: Newsletter) -> ConsentEvent:
    number = next(counter)
    return ConsentEvent.objects.create(
        kind="confirmed",
        subscriber_uuid=subscriber.uuid,
        newsletter_slug=newsletter.slug,
        address_hash=subscriber.address_hash,
        occurred_at=timezone.now(),
        previous_hash=f"{number:064}",
        hash=f"{number + 1:064}",
    )


def subscribe(newsletter: Newsletter, count: int, *, cadence: str = Cadence.DAILY) -> list[Subscription]:
    """Confirmed readers of the newsletter."""
    subscriptions = []
    for number in range(count):
        address = addresses.normalise(f"reader{next(counter)}.{number}@example.com")
        subscriber = Subscriber.objects.create(
            address=address.address, address_key=address.key, address_hash=addresses.keyed_hash(address.key)
        )
        subscriptions.append(
            Subscription.objects.create(
                subscriber=subscriber,
                newsletter=newsletter,
                cadence=cadence,
                state=Subscription.State.CONFIRMED,
                consent_event=_consent(subscriber, newsletter),
            )
        )
    return subscriptions


def frozen_issue(
    newsletter: Newsletter, *, state: str = Issue.State.SCHEDULED, text: str = "Read.", **variants: str
) -> Issue:
    """An issue with a snapshot, as `approval.approve` leaves it; `variants` are its texts in further languages."""
    now = timezone.now()
    issue = Issue.objects.create(
        newsletter=newsletter,
        kind=Issue.Kind.DIGEST,
        cadence=Cadence.DAILY,
        period_key=f"key-{next(counter)}",
        number=next(counter),
        subject="Today",
        state=state,
        scheduled_for=now,
        approved_at=now,
    )
    snapshot = Snapshot(issue=issue, audience_rule={}, **_frozen(text))
    rows = [
        Variant(snapshot=snapshot, language=language, format=3, **_frozen(variants[language])) for language in variants
    ]
    for row in rows:
        row.sha256 = freezing.fingerprint(snapshot=row)
        snapshot.audience_rule.setdefault("variants", {})[row.language] = row.sha256
    snapshot.sha256 = freezing.fingerprint(snapshot=snapshot)
    snapshot.save()
    for row in rows:
        row.snapshot = snapshot
        row.save()
    return issue


def _frozen(text: str) -> dict[str, Any]:
    compiled = segments.compile(headers=HEADERS, text=text + " %%unsubscribe_url%%", html="<p>%%preferences_url%%</p>")
    headers = [list(pair) for pair in HEADERS]
    return {"subject": "Today", "html": "<p></p>", "text": "Read.", "headers": headers, "compiled": compiled.dump()}


@pytest.fixture
def newsletter(db: None) -> Newsletter:
    return Newsletter.objects.create(name="The Daily", slug="daily", description="Every day.")


@pytest.fixture(scope="module")
def mail() -> Iterator[smtp_server.Server]:
    """A mail server for lanes that are processes of their own."""
    with smtp_server.running() as server:
        yield server


@pytest.fixture(scope="module")
def nursery(mail: smtp_server.Server, django_db_setup: None) -> Iterator[lane_processes.Nursery]:
    """Lanes that send to `mail`, ten copies at a time."""
    with stages.nursery(mail, in_flight=IN_FLIGHT, lease_seconds=60) as lane_starter:
        yield lane_starter


@pytest.fixture
def sending(newsletter: Newsletter) -> Callable[[int], Issue]:
    """An issue that is being sent to that many readers."""

    def start(count: int) -> Issue:
        subscribe(newsletter, count)
        issue = frozen_issue(newsletter)
        assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
        issue.refresh_from_db()
        return issue

    return start


def states(issue: Issue) -> dict[str, int]:
    """How many copies are in each state."""
    return dict(Counter(issue.deliveries.values_list("state", flat=True)))


Verdict = Callable[[Copy], Outcome]


def accepted(copy: Copy) -> Outcome:
    return Outcome(delivery_id=copy.delivery_id, state="accepted", phase=Phase.FINAL, remote_id="queued as 1")


class ScriptedTransport:
    """A working transport into memory, for any number of lanes; `verdict` decides what becomes of each copy."""

    needs = "payload"

    def __init__(self) -> None:
        self.taken: list[Copy] = []
        self.verdict: Verdict = accepted
        self.before: Callable[[Sequence[Copy]], None] = lambda _copies: None
        self._at_hand: dict[int, list[Copy]] = {}

    @property
    def at_hand(self) -> list[Copy]:
        """The copies of this thread's lane that have no outcome yet."""
        return self._at_hand.setdefault(threading.get_ident(), [])

    def ready(self) -> int:
        return 0 if self.at_hand else settings.SENDING.copies_in_flight

    def submit(self, copies: Sequence[Copy]) -> None:
        self.before(copies)
        self.at_hand.extend(copies)

    def results(self, timeout: float) -> list[Outcome]:
        return [self.outcome() for _ in range(len(self.at_hand))]

    def outcome(self) -> Outcome:
        """What becomes of the next copy."""
        copy = self.at_hand.pop(0)
        outcome = self.verdict(copy)
        if outcome.state in {"accepted", "uncertain"}:
            self.taken.append(copy)
        return outcome

    def close(self) -> None:
        self.at_hand.clear()


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> ScriptedTransport:
    transport = ScriptedTransport()
    monkeypatch.setattr(transports, "for_settings", lambda **_: transport)
    return transport


UNANSWERED = {Phase.CONNECT, Phase.SESSION}


def refuse(state: str, phase: Phase, *, about_us: bool = False, retry_after: int | None = None) -> Verdict:
    """A verdict that gives every copy the same outcome."""

    def verdict(copy: Copy) -> Outcome:
        return Outcome(
            delivery_id=copy.delivery_id,
            state=state,  # type: ignore[arg-type]  # one of the four, as the caller wrote it
            phase=phase,
            reason="scripted by the test",
            # As a server defers a reader, unless it says when to come back.
            code="450 4.2.0" if state == "deferred" and retry_after is None and phase not in UNANSWERED else "",
            about_us=about_us,
            retry_after=retry_after,
        )

    return verdict


def expire_leases(issue: Issue, now: datetime) -> None:
    """As if the leases of the issue had run out."""
    Delivery.objects.filter(issue=issue, lease_until__isnull=False).update(lease_until=now)
