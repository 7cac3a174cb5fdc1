"""F10: a provider that answers 429 is left alone by every lane for as long as it says, and no attempt is used up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from digests.models import Issue
from digests.sending import lanes
from digests.sending.tests.conftest import states
from postal.tests.redis_server import Server
from tests.faults import mailgun_server

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
READERS, IN_FLIGHT, WAIT = 25, 10, 1_000


@pytest.mark.parametrize(
    ("provider", "requests"), [("mailgun", 1), ("resend", 4)], ids=["a batch", "single messages over 4 connections"]
)
def test_all_lanes_wait_as_long_as_it_says_and_then_everybody_gets_one(
    sending: Start, own_redis: Server, settings: Any, provider: str, requests: int
) -> None:
    issue = sending(READERS)
    with mailgun_server.running() as server:
        choose(settings, server, provider)
        server.rules = [mailgun_server.Rule("status", status=429, headers={"Retry-After": str(WAIT)})]
        for lane in (0, 1, 0):
            assert lanes.run(issue_id=issue.pk, lane=lane) is lanes.Ending.PACED
        assert 1 <= len(server.requests) <= requests
        assert states(issue) == {"deferred": IN_FLIGHT, "pending": READERS - IN_FLIGHT}
        waiting = issue.deliveries.filter(state="deferred")
        assert {*waiting.values_list("attempts", flat=True)} == {0}
        assert not waiting.filter(due_at__lt=timezone.now() + timedelta(seconds=WAIT / 2)).exists()

        server.rules = []
        own_redis.flush()
        waiting.update(due_at=F("due_at") - timedelta(days=1))
        lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": READERS}
    assert {*issue.deliveries.values_list("attempts", flat=True)} == {1}
    assert {*server.copies().values()} == {1}
    assert len(server.copies()) == READERS


def choose(settings: Any, server: mailgun_server.Server, provider: str) -> None:
    """Make this server the provider that bulk mail leaves by."""
    url = server.url.removesuffix("/v3" if provider == "resend" else "")
    settings.SENDING = replace(settings.SENDING, copies_in_flight=IN_FLIGHT)
    settings.EMAIL_TRANSPORT, settings.EMAIL_PROVIDER = "esp", provider
    settings.EMAIL_BACKEND = f"anymail.backends.{provider}.EmailBackend"
    settings.ANYMAIL = {f"{provider.upper()}_API_KEY": "secret", f"{provider.upper()}_API_URL": url}
