"""The tables of moves: what a verb does to a subscription or a letter in any state is in them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from subscribers import signup
from subscribers.letters import queue, send
from subscribers.models import Letter, Newsletter, Subscription
from subscribers.states import LETTER_MOVES, SUBSCRIPTION_MOVES
from tests.cast import RITA, ask, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db
State = Subscription.State


def in_state(state: str, newsletter: Newsletter) -> Subscription:
    if state == State.PENDING:
        return ask(RITA, newsletter).subscriptions.get()
    subscription = confirmed(RITA, newsletter)
    if state == State.UNSUBSCRIBED:
        signup.unsubscribe(subscription=subscription, evidence=evidence(), reason="link", now=timezone.now())
    return subscription


@rows("state", State.values)
def test_a_request_makes_pending_what_the_table_allows(newsletter: Newsletter, state: str) -> None:
    subscription = in_state(state, newsletter)
    ask(RITA, newsletter)
    subscription.refresh_from_db()
    assert subscription.state == (State.PENDING if (state, State.PENDING) in SUBSCRIPTION_MOVES else state)


@rows("state", Letter.State.values)
def test_a_letter_is_tried_from_the_states_that_the_table_names(newsletter: Newsletter, state: str) -> None:
    now = timezone.now()
    letter = queue.enqueue(kind=Letter.Kind.PREFERENCES, subscriber=ask(RITA, newsletter), now=now)
    Letter.objects.filter(pk=letter.pk).update(state=state, lease_until=now - timedelta(minutes=1))
    outcome = send.send(letter_id=letter.pk, now=timezone.now())
    assert (outcome is not None) == ((state, Letter.State.ATTEMPTING) in LETTER_MOVES)
    assert outcome is None or (Letter.State.ATTEMPTING, outcome) in LETTER_MOVES
