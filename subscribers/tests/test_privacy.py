"""Network addresses: after 30 days little is left."""

from datetime import timedelta

import pytest
from django.utils import timezone

from subscribers import consent, privacy
from subscribers.models import ConsentOrigin, Newsletter
from tests.cast import RITA, ask


@pytest.mark.django_db
@pytest.mark.parametrize(("ip", "left"), [("198.51.100.77", "198.51.100.0"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1::")])
def test_origins_are_cut_after_30_days_and_the_chain_holds(newsletter: Newsletter, ip: str, left: str) -> None:
    ask(RITA, newsletter)
    ConsentOrigin.objects.update(ip=ip)
    now = timezone.now()

    assert privacy.truncate_origins(now=now + timedelta(days=29)) == 0
    assert ConsentOrigin.objects.get().ip == ip
    assert privacy.truncate_origins(now=now + timedelta(days=31)) == 1
    assert ConsentOrigin.objects.get().ip == left
    assert privacy.truncate_origins(now=now + timedelta(days=31)) == 0
    assert consent.verify() is None
