"""After a restore the clock would compose again what was sent: it becomes a draft for a person instead."""

from datetime import timedelta

import pytest
from django.utils import timezone

from articles.models import Article
from digests import restored, tasks
from digests.models import Issue
from digests.tests.conftest import Release
from subscribers.models import Cadence, CadenceOffer, Newsletter

pytestmark = pytest.mark.django_db


def test_a_digest_that_the_clock_would_send_again_waits_for_a_person(newsletter: Newsletter, release: Release) -> None:
    Newsletter.objects.update(auto_approve=True)
    now = timezone.now()
    story = release("A story of the last minutes", now - timedelta(minutes=2))
    CadenceOffer.objects.filter(cadence=Cadence.DAILY).update(send_at=(now - timedelta(minutes=1)).time())
    Newsletter.objects.update(time_zone="UTC")

    held = restored.hold(now=now)
    tasks.tick()

    assert held.drafts
    assert set(Article.objects.filter(issue_items__issue__in=held.drafts)) == {story}
    assert set(Issue.objects.values_list("state", flat=True)) <= {Issue.State.DRAFT, Issue.State.CANCELLED}
