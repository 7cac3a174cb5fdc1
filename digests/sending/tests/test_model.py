"""Whatever happens in whatever order: only allowed transitions, one copy each, nobody who left, nobody lost."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from anymail.signals import AnymailTrackingEvent, EventType
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Step
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from articles import publishing
from articles.models import Article, Author, Byline, Section
from core.reasons import Reason
from digests import approval, rest, states, stats, uncertain
from digests.feedback import processing
from digests.models import Delivery, Issue, IssueItem
from digests.sending import attempts, claims, lanes, merge, outcomes, preparing, sweeper
from digests.sending.tests import transitions
from digests.sending.tests.conftest import ScriptedTransport, expire_leases, subscribe
from postal import transports
from postal.transports.base import Copy, Outcome, Phase
from publication.models import Publication
from subscribers import consent, erasure, signup, suppression
from subscribers.models import Newsletter, Subscriber, Subscription, Suppression

READERS = 6
MOST_APPROVALS = 3  # freezing an issue takes longer than all else
LETTERS_STATES = {"accepted", "uncertain"}
# What a server may have done with a copy, and what is reported to us: (taken, reported, about us).
ANSWERS = [
    (True, "accepted", False),
    (True, "uncertain", False),
    (False, "uncertain", False),
    (False, "deferred", False),
    (False, "rejected", False),
    (False, "rejected", True),
]
answers = st.lists(st.sampled_from(ANSWERS), min_size=READERS, max_size=READERS)
place = st.integers(0, READERS - 1)
State = Issue.State
# verb -> the states in which it may be called
ALLOWED: dict[str, set[str]] = {
    "approve": {State.DRAFT},
    "reopen": {State.SCHEDULED},
    "pause": {State.SENDING},
    "resume": {State.PAUSED},
    "cancel": {State.DRAFT, State.SCHEDULED, State.PREPARING, State.SENDING, State.PAUSED},
}
Attempts = tuple[claims.Batch, list[Copy]]
Answer = tuple[claims.Batch, list[Outcome]]
# What the examples must have met, or they prove nothing.
NEEDED = {
    ("pending", "claimed"), ("claimed", "attempting"), ("attempting", "accepted"), ("attempting", "deferred"),
    ("attempting", "uncertain"), ("sending", "paused"), ("cancelled", "sending"), ("cancelled", "pending"),
}  # fmt: skip
numbers = itertools.count(1)
# How often each move was seen in all examples together.
EVER: Counter[tuple[str, str, str]] = Counter()


def world() -> tuple[Issue, Article, User]:
    """A draft digest with one story and a few readers."""
    publication = Publication.objects.current()
    publication.postal_address = "1 Example Street\n10115 Berlin"
    publication.sender_address = "news@example.com"
    publication.save()
    newsletter = Newsletter.objects.create(name="The Daily", slug="daily", description="Every day.")
    subscribe(newsletter, READERS)
    long_ago = datetime(2025, 1, 1, tzinfo=UTC)
    story = Article.objects.create(
        headline="The story",
        slug="the-story",
        standfirst="What it says.",
        section=Section.objects.create(name="News", slug="news"),
        body_html="<p>Text.</p>",
        body_sha256="0" * 64,
        state=Article.State.PUBLISHED,
        published_at=long_ago,
        first_published_at=long_ago,
    )
    Byline.objects.create(article=story, author=Author.objects.create(name="Staff", slug="staff"))
    issue = Issue.objects.create(newsletter=newsletter, kind=Issue.Kind.DIGEST, cadence="daily", period_key="key")
    IssueItem.objects.create(issue=issue, article=story)
    return issue, story, User.objects.create_superuser(f"editor-{next(numbers)}")


class Engine(RuleBasedStateMachine):
    """One issue, its readers, several lanes, an impatient operator and a mail server of moods."""

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.issue, self.story, self.editor = world()
        self.readers = list(Subscriber.objects.order_by("pk"))
        self.reader_of = {one.address: one.pk for one in self.readers}
        self.left: set[int] = set()
        # Copies that the server took, and the copies that a person had sent again, by address.
        self.taken: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
        self.approvals = 0
        self.claimed: list[claims.Batch] = []
        self.attempted: list[Attempts] = []
        self.answered: list[Answer] = []
        self.settled: list[Answer] = []

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.before)
        transaction.set_rollback(False)

    @initialize(start=st.sampled_from([*[State.SENDING] * 6, State.DRAFT, State.SCHEDULED]), by_hand=st.booleans())
    def begin(self, start: str, by_hand: bool) -> None:
        """Mostly in the middle, where most can happen."""
        if start != State.DRAFT:
            self.approve(by_hand)
        if start == State.SENDING:
            self.the_clock_ticks()

    @rule(data=st.data())
    def engine(self, data: st.DataObject) -> None:
        """A few steps of any of the lanes."""
        for _ in range(data.draw(st.integers(1, 4))):
            ready = [self.claim, *[self.record_attempts] * bool(self.claimed), *[self.hand_over] * bool(self.attempted)]
            ready += [*[self.settle] * bool(self.answered), *[self.settle_once_more] * bool(self.settled)]
            data.draw(st.sampled_from(ready))(data)

    engine_again = rule(data=st.data())(lambda self, data: self.engine(data))  # twice as often as anything else

    @rule(answers=answers)
    def lane(self, answers: list[tuple[bool, str, bool]]) -> None:
        self.whole_lane(answers)

    @rule(data=st.data())
    def editor_acts(self, data: st.DataObject) -> None:
        acts = [self.pause, self.resume, self.resume, self.call_accepted, *[self.send_again] * 4]
        acts += [self.cancel, self.withdraw] * (len(self.settled) > 2) + [self.cancel, self.send_rest, self.send_rest]
        acts += [self.reopen, self.approve] * (self.approvals < MOST_APPROVALS)
        data.draw(st.sampled_from(acts))()

    @rule(place=place, data=st.data())
    def reader_acts(self, place: int, data: st.DataObject) -> None:
        data.draw(st.sampled_from([self.unsubscribe, self.suppress, self.erase, *[self.provider_says] * 4]))(
            place, data
        )

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([self.leases_end, self.an_hour_passes, self.a_day_passes, self.the_clock_ticks]))()

    # --- The editor -------------------------------------------------------------------------

    def ask(self, verb: str, deed: Callable[[], object]) -> None:
        """A verb works in its states; in the others it refuses and changes nothing."""
        before = self.rows()
        if Issue.objects.get(pk=self.issue.pk).state in ALLOWED[verb]:
            deed()
            return
        with pytest.raises(approval.NotAllowed), transaction.atomic():
            deed()
        assert self.rows() == before

    def rows(self) -> list[tuple[object, ...]]:
        copies = Delivery.objects.order_by("pk").values_list("pk", "state", "fence", "attempts", "reason")
        return [*copies, *Issue.objects.values_list("state", "state_reason", "audience_count")]

    def approve(self, by_hand: bool = True) -> None:
        actor = self.editor if by_hand else None
        self.approvals += 1
        self.ask("approve", lambda: approval.approve(issue=self.issue, actor=actor, now=timezone.now()))

    def reopen(self) -> None:
        self.ask(
            "reopen",
            lambda: approval.reopen(issue=self.issue, reason=Reason("reopened"), actor=None, now=timezone.now()),
        )

    def pause(self) -> None:
        self.ask("pause", lambda: approval.pause(issue=self.issue, reason="Wait.", actor=None, now=timezone.now()))

    def resume(self) -> None:
        self.ask("resume", lambda: approval.resume(issue=self.issue, actor=None, now=timezone.now()))

    def cancel(self) -> None:
        self.ask("cancel", lambda: approval.cancel(issue=self.issue, reason="No.", actor=None, now=timezone.now()))

    def send_rest(self) -> None:
        self.leases_end()
        self.the_clock_ticks()
        with contextlib.suppress(rest.NotAllowed), transaction.atomic():
            rest.send(issue=self.issue, actor=self.editor, now=timezone.now())
        self.the_clock_ticks()

    def withdraw(self) -> None:
        if self.story.state == Article.State.PUBLISHED:
            publishing.withdraw(article=self.story, reason="Wrong.", actor=self.editor, now=timezone.now())

    def call_accepted(self) -> None:
        uncertain.accept(issue=self.issue, deliveries=None, actor=None, now=timezone.now())

    def send_again(self) -> None:
        doubtful = self.issue.deliveries.filter(state="uncertain", subscriber__isnull=False)
        addresses = list(doubtful.values_list("subscriber__address", flat=True))
        before = self.rows()
        try:
            with transaction.atomic():
                uncertain.resend(issue=self.issue, deliveries=None, actor=None, now=timezone.now())
        except uncertain.NotAllowed:
            assert Issue.objects.get(pk=self.issue.pk).state == State.CANCELLED
            assert self.rows() == before
        else:
            self.again.update(addresses)

    # --- The readers and the provider -------------------------------------------------------

    def unsubscribe(self, place: int, _data: st.DataObject) -> None:
        reader = self.readers[place]
        subscription = Subscription.objects.filter(subscriber_id=reader.pk).first()
        if subscription is not None:
            signup.unsubscribe(
                subscription=subscription, evidence=consent.Evidence(), reason="one_click", now=timezone.now()
            )
            self.left.add(reader.pk)

    def suppress(self, place: int, _data: st.DataObject) -> None:
        reader = self.readers[place]
        suppression.suppress(
            address_key=reader.address_key, reason=Suppression.Reason.MANUAL, actor=None, now=timezone.now()
        )
        self.left.add(reader.pk)

    def erase(self, place: int, _data: st.DataObject) -> None:
        reader = self.readers[place]
        erasure.erase(address_key=reader.address_key, evidence=consent.Evidence(), actor=None, now=timezone.now())
        self.left.add(reader.pk)

    def provider_says(self, place: int, data: st.DataObject) -> None:
        word = data.draw(st.sampled_from([EventType.DELIVERED, EventType.BOUNCED, EventType.COMPLAINED]))
        copy = self.issue.deliveries.filter(subscriber_id=self.readers[place].pk).first()
        if copy is None:
            return
        number = str(next(numbers))
        event = AnymailTrackingEvent(
            event_type=word, event_id=number, message_id=number, metadata={"delivery": str(copy.uuid)},
            recipient=self.readers[place].address, timestamp=timezone.now(),
        )  # fmt: skip
        processing.record(event=event, provider="mailgun", now=timezone.now())
        if word == EventType.COMPLAINED:
            self.left.add(self.readers[place].pk)

    # --- The engine, step by step, as lanes do that are late, doubled or dead ---------------

    def claim(self, data: st.DataObject) -> None:
        limit = data.draw(st.integers(1, READERS))
        self.get_on()
        if Issue.objects.under_way().filter(pk=self.issue.pk).exists():
            batch = claims.claim(issue_id=self.issue.pk, after=0, limit=limit)
            self.claimed += [batch] if batch else []

    def get_on(self) -> None:
        """Clear away what keeps a lane from working, or most steps would find nothing to do."""
        state = Issue.objects.get(pk=self.issue.pk).state
        clear: dict[str, Callable[[], None]] = {
            State.DRAFT: self.approve,
            State.SCHEDULED: self.the_clock_ticks,
            State.PAUSED: self.resume,
            State.SENDING: self.an_hour_passes,
            State.SENT_WITH_EXCEPTIONS: self.send_again,
            State.CANCELLED: self.send_rest,
        }
        if state in clear and self.approvals < MOST_APPROVALS:
            clear[state]()

    def record_attempts(self, data: st.DataObject) -> None:
        batch = self.claimed.pop(data.draw(st.integers(0, len(self.claimed) - 1)))
        issue = Issue.objects.select_related("newsletter", "snapshot").get(pk=self.issue.pk)
        copies = attempts.record_attempts(batch=batch, merger=merge.Merger(issue, needs="payload"), lease_seconds=60)
        self.check_attempts(copies)
        if copies:
            self.attempted.append((batch, copies))

    def hand_over(self, data: st.DataObject) -> None:
        batch, copies = self.attempted.pop(data.draw(st.integers(0, len(self.attempted) - 1)))
        results = [self.outcome(copy, mood) for copy, mood in zip(copies, data.draw(answers), strict=False)]
        self.answered.append((batch, results))

    def settle(self, data: st.DataObject) -> None:
        batch, results = self.answered.pop(data.draw(st.integers(0, len(self.answered) - 1)))
        outcomes.settle(batches=[batch], outcomes=results, tripped=data.draw(st.booleans()))
        self.settled.append((batch, results))

    def settle_once_more(self, data: st.DataObject) -> None:
        """A repeated or late result of a lane that no longer holds the fence finds nothing to change."""
        batch, results = data.draw(st.sampled_from(self.settled))
        if self.issue.deliveries.filter(fence=batch.fence, state__in=["attempting", "uncertain"]).exists():
            return
        before = self.rows()
        assert outcomes.settle(batches=[batch], outcomes=results, tripped=False) == 0
        assert claims.release(batch=batch) == 0
        assert self.rows() == before

    def whole_lane(self, answers: list[tuple[bool, str, bool]]) -> None:
        transport, moods = ScriptedTransport(), itertools.cycle(answers)
        transport.before = self.check_attempts  # type: ignore[assignment]  # it asks for a list and is given one
        transport.verdict = lambda copy: self.outcome(copy, next(moods))
        transports.for_settings = lambda **_: transport  # type: ignore[assignment]  # a working fake
        lanes.run(issue_id=self.issue.pk, lane=0)

    def leases_end(self) -> None:
        expire_leases(self.issue, timezone.now() - timedelta(hours=1))
        claims.recover()

    def an_hour_passes(self) -> None:
        self.issue.deliveries.filter(state="deferred").update(due_at=timezone.now() - timedelta(hours=1))

    def a_day_passes(self) -> None:
        """Only for what was deferred; the issue itself may be sent for longer."""
        if len(self.settled) > 3:
            Issue.objects.filter(pk=self.issue.pk).update(started_at=timezone.now() - timedelta(hours=30))

    def the_clock_ticks(self) -> None:
        now = timezone.now()
        processing.settle(now=now)
        for issue_id in sweeper.sweep(now=now):
            sweeper.wake(issue_id=issue_id, now=now)
            preparing.prepare(issue_id=issue_id, now=now)

    def outcome(self, copy: Copy, mood: tuple[bool, str, bool]) -> Outcome:
        taken, state, about_us = mood
        self.taken[copy.recipient] += taken
        phase = Phase.FINAL if state in LETTERS_STATES else Phase.RCPT
        # Without a code it would come back within seconds, for which the lane waits.
        code = "450 4.2.0" if state == "deferred" else ""
        return Outcome(copy.delivery_id, state, phase, "by the test", code, about_us=about_us)  # type: ignore[arg-type]  # one of the four

    def check_attempts(self, copies: list[Copy]) -> None:
        """When the attempts are recorded: the issue is being sent, and nobody of these has left."""
        assert not {self.reader_of[copy.recipient] for copy in copies} & self.left
        assert not copies or Issue.objects.get(pk=self.issue.pk).state == State.SENDING

    # --- What always holds ------------------------------------------------------------------

    @invariant()
    def only_allowed_moves(self) -> None:
        moves = transitions.seen()
        EVER.update((what, *move) for what in moves for move in moves[what])
        assert moves["issue"] <= states.ISSUE_MOVES
        assert moves["delivery"] <= states.DELIVERY_MOVES

    @invariant()
    def nobody_gets_two_by_itself(self) -> None:
        assert all(count <= 1 + self.again[address] for address, count in self.taken.items())

    @invariant()
    def the_audience_is_accounted_for(self) -> None:
        issue = Issue.objects.get(pk=self.issue.pk)
        if issue.planned_at is None:
            assert not issue.deliveries.exists()
            return
        assert stats.progress(issue).conserved
        states_of_copies = set(issue.deliveries.values_list("state", flat=True))
        if issue.state in {State.SENT, State.SENT_WITH_EXCEPTIONS}:
            assert not states_of_copies & set(Delivery.OPEN)
        if issue.state == State.SENT:
            assert not states_of_copies & set(Delivery.EXCEPTIONS)

    @invariant()
    def everyone_who_got_none_is_on_a_list(self) -> None:
        """`accepted` is believed only of copies that the server took, or that a person or the provider vouched for."""
        done = self.issue.deliveries.filter(state="accepted", reason="", subscriber__isnull=False)
        assert set(done.values_list("subscriber__address", flat=True)) <= {one for one, n in self.taken.items() if n}


@pytest.mark.slow
def test_whatever_happens_in_whatever_order(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "for_settings", transports.for_settings)
    transitions.watch()
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Step.generate, Step.shrink],
        ),
    )
    missed = NEEDED - {(old, new) for _what, old, new in EVER}
    assert not missed, f"the examples never came to {missed}"
