"""A letter leaves within seconds, whatever else the site does: its processes are its own."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from digests import approval
from digests.models import DeliveryEvent, Issue
from mailkit import addresses
from newsroom import workers
from newsroom.celery import app
from newsroom.running import processes
from subscribers.models import CadenceOffer, Letter, Newsletter, Subscriber
from tests.journeys import stage as stages
from tests.journeys import whole_site
from tests.journeys.conftest import People, Story

SECONDS, LETTERS, EVENTS = 5.0, 4, 5_000
pytestmark = pytest.mark.slow


@pytest.fixture
def script() -> dict[str, object]:
    """A mail server that takes its time with every copy of an issue, and with no letter."""
    return {"rules": [{"at": "ACCEPTED", "match": "^reader-", "do": "delay", "seconds": 2}]}


def letter_takes(stage: stages.Stage, number: int) -> float:
    """Seconds from the act of a reader to the letter in the mailbox."""
    address = addresses.normalise(f"letter-{number}@readers.example")
    reader = Subscriber.objects.create(
        address=address.address, address_key=address.key, address_hash=addresses.keyed_hash(address.key)
    )
    letter = Letter.objects.create(kind=Letter.Kind.PREFERENCES, subscriber=reader)
    began = time.monotonic()
    stage.queue("subscribers.tasks.send_letter", letter.pk)
    stage.next_mail(reader.address)
    return time.monotonic() - began


@contextmanager
def composing_held(newsletter: Newsletter) -> Iterator[None]:
    """Hold the lock of this newsletter's row, so that composing for it waits."""
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(CadenceOffer.objects.select_for_update(of=("self",)).filter(newsletter=newsletter))
            locked.set()
            done.wait(60)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


def flood(stage: stages.Stage) -> None:
    """Reports of a provider, all of them due, and a call for each hundred."""
    now = timezone.now()
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(
            provider="mailgun",
            event_id=f"flood-{number}",
            kind=DeliveryEvent.Kind.DELIVERED,
            delivery_uuid=uuid.uuid4(),
            occurred_at=now,
            received_at=now,
            due_at=now - timedelta(seconds=1),
        )
        for number in range(EVENTS)
    )
    for _ in range(EVENTS // 100):
        stage.queue("digests.feedback.processing.settle_events")


def waiting(stage: stages.Stage, queue: str) -> int:
    length = stage.redis().llen(queue)
    assert isinstance(length, int)
    return length


def test_letters_leave_while_lanes_composing_and_reports_want_every_process(
    stage: stages.Stage, people: People, newsletter: Newsletter, issue: Issue, story: Story
) -> None:
    people(200)
    stage.extra = {"WORKER_CONCURRENCY": "2", "LANES": "4"}
    with whole_site.running(stage), composing_held(newsletter):
        approval.approve(issue=issue, actor=None, now=timezone.now())
        stage.queue("digests.sending.tasks.wake_issue", issue.pk)
        stages.wait(lambda: waiting(stage, "digest") > 0, "lanes that wait for a process", 20, stage.logs)
        flood(stage)
        stage.tick()
        took = [letter_takes(stage, number) for number in range(LETTERS)]
        assert max(took) < SECONDS, took
        assert waiting(stage, "digest") > 0


def test_every_task_has_a_worker_that_nothing_slower_shares() -> None:
    tasks = [name for name in app.tasks if not name.startswith("celery.")]
    by_queue: dict[str, set[str]] = {name: set() for name in workers.QUEUES}
    for task in tasks:
        by_queue[app.amqp.router.route({}, task)["queue"].name].add(task)
    letters = {"subscribers.tasks.send_letter", "staff.tasks.mail_invitation", "staff.tasks.mail_password"}
    assert by_queue["transactional"] == letters
    assert by_queue["digest"] == {"digests.sending.tasks.run_lane", "digests.sending.tasks.plan_issue"}
    assert by_queue["webhooks"] == {"digests.feedback.processing.settle_events"}
    taken = [queue for worker in workers.read() for queue in worker.queues]
    assert sorted(taken) == sorted(workers.QUEUES)


def test_a_worker_that_is_started_as_before_still_does_the_clocks_work_and_says_what_that_costs(
    stage: stages.Stage,
) -> None:
    command = processes.worker(name="old", queues=["transactional", "webhooks", "digest"], processes=1)
    stage.spawn("old", command)
    stage.tick()
    stages.wait(lambda: waiting(stage, "ticks") == 0 and "three workers" in stage.logs(), "the ticks", 20, stage.logs)


def test_each_worker_empties_its_queues_in_their_order() -> None:
    assert workers.completed(["digest", "webhooks", "transactional"]) == [
        "transactional",
        "ticks",
        "webhooks",
        "digest",
    ]
    assert workers.completed(["digest"]) == ["digest"]
    assert not workers.is_mixed(["digest"])
    assert not workers.is_mixed(["ticks", "webhooks"])
    assert workers.is_mixed(["ticks", "digest"])
