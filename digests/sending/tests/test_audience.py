"""Who is planned: everybody who may be mailed, once, and nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from digests.models import Delivery
from digests.sending import audience
from digests.sending.tests.conftest import frozen_issue, subscribe
from subscribers.models import Newsletter, Subscription, Suppression
from tests.table import rows

pytestmark = pytest.mark.django_db


def planned(newsletter: Newsletter) -> set[int | None]:
    issue = frozen_issue(newsletter)
    audience.plan(issue=issue, now=timezone.now())
    return set(issue.deliveries.values_list("subscriber_id", flat=True))


def test_confirmed_readers_of_the_cadence_are_planned(newsletter: Newsletter) -> None:
    daily = subscribe(newsletter, 3)
    subscribe(newsletter, 2, cadence="weekly")
    assert planned(newsletter) == {one.subscriber_id for one in daily}


def test_readers_of_another_newsletter_are_not(newsletter: Newsletter) -> None:
    other = Newsletter.objects.create(name="Other", slug="other", description="Else.")
    subscribe(other, 2)
    assert planned(newsletter) == set()


@pytest.mark.parametrize("state", [Subscription.State.PENDING, Subscription.State.UNSUBSCRIBED])
def test_unconfirmed_and_unsubscribed_are_not(newsletter: Newsletter, state: str) -> None:
    stays, leaves = subscribe(newsletter, 2)
    Subscription.objects.filter(pk=leaves.pk).update(state=state)
    assert planned(newsletter) == {stays.subscriber_id}


@rows("reason", Suppression.Reason.values)
def test_suppressed_are_not(newsletter: Newsletter, reason: str) -> None:
    stays, leaves = subscribe(newsletter, 2)
    Suppression.objects.create(address_hash=leaves.subscriber.address_hash, reason=reason)
    assert planned(newsletter) == {stays.subscriber_id}


def test_paused_are_not_until_their_day(newsletter: Newsletter) -> None:
    back, away = subscribe(newsletter, 2)
    now = timezone.now()
    Subscription.objects.filter(pk=away.pk).update(paused_until=now + timedelta(days=1))
    Subscription.objects.filter(pk=back.pk).update(paused_until=now - timedelta(days=1))
    assert planned(newsletter) == {back.subscriber_id}


def test_the_issue_knows_how_many_copies_it_has_and_where(newsletter: Newsletter) -> None:
    subscribe(newsletter, 3)
    issue = frozen_issue(newsletter)
    audience.plan(issue=issue, now=timezone.now())
    ids = list(issue.deliveries.values_list("pk", flat=True))
    assert (issue.audience_count, issue.copies_after, issue.copies_until) == (3, min(ids) - 1, max(ids))


def test_planning_twice_is_refused_and_adds_nothing(newsletter: Newsletter) -> None:
    """As when two plan at once in spite of the lock, whose connection was cut."""
    subscribe(newsletter, 3)
    issue = frozen_issue(newsletter)
    audience.plan(issue=issue, now=timezone.now())
    with pytest.raises(IntegrityError, match="delivery_once_per_reader"), transaction.atomic():
        audience.plan(issue=issue, now=timezone.now())
    assert issue.deliveries.count() == 3


def test_a_letter_goes_to_every_cadence(newsletter: Newsletter) -> None:
    subscribe(newsletter, 2)
    subscribe(newsletter, 1, cadence="weekly")
    issue = frozen_issue(newsletter)
    issue.cadence = ""
    audience.plan(issue=issue, now=timezone.now())
    assert issue.audience_count == 3


def test_the_database_refuses_a_second_copy(newsletter: Newsletter) -> None:
    (reader,) = subscribe(newsletter, 1)
    issue = frozen_issue(newsletter)
    audience.plan(issue=issue, now=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(issue=issue, subscriber=reader.subscriber)


def test_the_database_refuses_confirmation_without_consent(newsletter: Newsletter) -> None:
    (reader,) = subscribe(newsletter, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.filter(pk=reader.pk).update(consent_event=None)


def test_a_deleted_reader_leaves_the_copy_behind_even_in_plain_sql(newsletter: Newsletter) -> None:
    (reader,) = subscribe(newsletter, 1)
    issue = frozen_issue(newsletter)
    audience.plan(issue=issue, now=timezone.now())
    Subscription.objects.filter(pk=reader.pk).delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM subscribers_subscriber WHERE id = %s", [reader.subscriber_id])
    assert list(issue.deliveries.values_list("subscriber_id", flat=True)) == [None]


def test_an_issue_with_copies_cannot_be_deleted_even_in_plain_sql(newsletter: Newsletter) -> None:
    subscribe(newsletter, 1)
    issue = frozen_issue(newsletter)
    audience.plan(issue=issue, now=timezone.now())
    issue.snapshot.delete()
    with connection.cursor() as cursor, pytest.raises(IntegrityError), transaction.atomic():
        cursor.execute("DELETE FROM digests_issue WHERE id = %s", [issue.pk])
