"""An approved issue leaves within seconds: a wake-up is queued when the verb commits."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import transaction
from django.utils import timezone

from digests import approval, uncertain
from digests.models import Delivery, Issue
from digests.sending import tasks
from digests.tests import copies
from subscribers.models import Newsletter

# Wake-ups are queued on commit, which never happens in a test's own transaction.
pytestmark = pytest.mark.django_db(transaction=True)

State = Issue.State
VERBS: dict[str, tuple[State, Callable[[Issue], object]]] = {
    "resume": (State.PAUSED, lambda issue: approval.resume(issue=issue, actor=None, now=timezone.now())),
    "cancel": (State.SENDING, lambda issue: approval.cancel(issue=issue, reason="x", actor=None, now=timezone.now())),
    "send again": (
        State.SENDING,
        lambda issue: uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now()),
    ),
}


@pytest.fixture
def hints(settings: Any) -> Callable[[], list[tuple[str, str]]]:
    """Name and arguments of the tasks that wait for a worker of the engine, in whichever queue."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    keys = [f"{prefix}{queue}" for queue in ("ticks", "digest")]
    broker = redis.Redis.from_url(settings.REDIS_URL)
    broker.delete(*keys)

    def waiting() -> list[tuple[str, str]]:
        entries: list[Any] = [entry for key in keys for entry in broker.lrange(key, 0, -1)]
        heads = [json.loads(entry)["headers"] for entry in entries]
        return [(head["task"], head["argsrepr"]) for head in heads]

    return waiting


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_wakes_the_engine(newsletter: Newsletter, hints: Callable[[], list[tuple[str, str]]], name: str) -> None:
    state, verb = VERBS[name]
    issue = copies.issue(newsletter, state=state)
    copies.copy(issue, None, Delivery.State.UNCERTAIN)
    verb(issue)
    assert hints() == [("digests.sending.tasks.wake_issue", f"({issue.pk},)")]


@pytest.mark.parametrize("later", [False, True])
def test_an_approval_wakes_it_unless_the_hour_is_to_come(
    digest: Issue, hints: Callable[[], list[tuple[str, str]]], later: bool
) -> None:
    when = timezone.now() + timedelta(hours=1) if later else None
    approval.approve(issue=digest, actor=None, now=timezone.now(), when=when)
    assert hints() == ([] if later else [("digests.sending.tasks.wake_issue", f"({digest.pk},)")])


def test_a_wake_up_is_queued_on_commit(hints: Callable[[], list[tuple[str, str]]]) -> None:
    """Before it, a worker would look at rows that are not there yet."""
    with transaction.atomic():
        tasks.hint_wake(7)
        tasks.hint_lane(7, 1)
        tasks.hint_plan(7)
        assert hints() == []
    assert sorted(hints()) == [
        ("digests.sending.tasks.plan_issue", "(7,)"),
        ("digests.sending.tasks.run_lane", "(7, 1)"),
        ("digests.sending.tasks.wake_issue", "(7,)"),
    ]
