"""What a reader gets in place of an issue: the stories that no copy had brought, counted and stopped with the issue."""

from datetime import datetime, timedelta

import pytest

from digests import approval, archive, composing, why
from digests.admin import leaving
from digests.models import Delivery, Issue
from digests.sending import preparing
from subscribers import preferences
from subscribers.models import Cadence, Newsletter, Subscription
from tests import cast
from tests.cast import Publish, Readers

pytestmark = pytest.mark.django_db


def send(issue: Issue, now: datetime) -> list[Issue]:
    """Approve and plan it, and what goes out in its place."""
    approval.approve(issue=issue, actor=None, now=now)
    assert preparing.prepare(issue_id=issue.pk, now=now)
    others = preparing.begin_in_its_place(issue_id=issue.pk, now=now)
    assert all(preparing.prepare(issue_id=other, now=now) for other in others)
    issue.refresh_from_db()
    return list(Issue.objects.filter(pk__in=others))


def test_who_missed_a_copy_gets_its_stories_with_the_next_issue_in_one_mail(
    digest: Issue, newsletter: Newsletter, readers: Readers, publish: Publish, now: datetime
) -> None:
    first, second = readers(2)
    assert send(digest, now) == []
    digest.deliveries.filter(subscriber=first.subscriber).update(state=Delivery.State.ACCEPTED)
    digest.deliveries.filter(subscriber=second.subscriber).update(
        state=Delivery.State.SUPPRESSED, reason="reader_paused"
    )
    Subscription.objects.filter(pk=second.pk).update(out_of_step_since=now)
    publish("Fourth", now + timedelta(hours=1))
    later = now + timedelta(hours=2)
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=later)
    (instead,) = send(issue, later)

    assert list(issue.deliveries.values_list("subscriber", flat=True)) == [first.subscriber_id]
    assert list(instead.deliveries.values_list("subscriber", flat=True)) == [second.subscriber_id]
    stories = list(instead.items.order_by("position").values_list("article__headline", flat=True))
    assert stories == ["Fourth", "Third", "Second", "First"]
    assert not Subscription.objects.filter(out_of_step_since__isnull=False).exists()
    assert preparing.begin_in_its_place(issue_id=issue.pk, now=later) == []

    assert [one.pk for one in archive.issues(newsletter=newsletter)] == [issue.pk, digest.pk]
    assert (instead.number, instead.audience_count) == (issue.number, 1)
    assert leaving.in_its_place(issue=issue).startswith("1 reader who chose weekdays")
    assert "in place of the whole issue" in why.explain(issue=issue, reader=second.subscriber, now=later).sentence
    approval.cancel(issue=issue, reason="A mistake", actor=None, now=later)
    instead.refresh_from_db()
    assert instead.state == Issue.State.CANCELLED


def test_who_goes_from_daily_to_weekly_gets_no_story_of_the_week_again(
    texts: object, digest: Issue, newsletter: Newsletter, readers: Readers, publish: Publish, now: datetime
) -> None:
    changed, always = readers(2)
    Subscription.objects.filter(pk=always.pk).update(cadence=Cadence.WEEKLY)
    send(digest, now)
    digest.deliveries.update(state=Delivery.State.ACCEPTED)
    preferences.change_cadence(subscription=changed, cadence=Cadence.WEEKLY, evidence=cast.evidence(), now=now)
    publish("Fourth", now + timedelta(hours=1))
    later = now + timedelta(hours=2)
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.WEEKLY, now=later)
    (instead,) = send(issue, later)
    assert issue.items.count() == 4
    assert list(issue.deliveries.values_list("subscriber", flat=True)) == [always.subscriber_id]
    assert list(instead.items.values_list("article__headline", flat=True)) == ["Fourth"]
    assert list(instead.deliveries.values_list("subscriber", flat=True)) == [changed.subscriber_id]
