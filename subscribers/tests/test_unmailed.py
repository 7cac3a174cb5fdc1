"""A newsletter that was renamed keeps its readers, and nobody who confirmed is left out without a word."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from subscribers import unmailed, verification
from subscribers.models import Newsletter, Subscription, Suppression
from subscribers.tests.conftest import import_text
from subscribers.tests.test_consent_chain import an_intruder
from subscribers.tests.test_mailed_only_with_consent import mailable
from tests.cast import BOB, RITA, confirmed

pytestmark = pytest.mark.django_db


def rename(newsletter: Newsletter, slug: str) -> None:
    """As only the owner of the tables can."""
    with an_intruder("subscribers_newsletter"):
        Newsletter.objects.filter(pk=newsletter.pk).update(slug=slug)
    newsletter.refresh_from_db()


def test_readers_of_a_renamed_newsletter_are_named_and_mailed_again(
    newsletter: Newsletter, product: Newsletter
) -> None:
    confirmed(RITA, newsletter)
    import_text(f"email\n{BOB}\n", newsletter)
    rename(newsletter, "tech")
    confirmed("dora@fourth.org", newsletter)
    assert mailable() == {"dora@fourth.org"}
    with pytest.raises(
        CommandError, match=r"2 confirmed readers of “Tech News”.*manage.py former_slug tech tech-news$"
    ):
        call_command("verify_consent", stdout=StringIO())

    for today, former in (("tech", "product-updates"), ("tech", "unheard-of"), ("product-updates", "tech-news")):
        with pytest.raises(CommandError, match="the slug"):
            call_command("former_slug", today, former)
    call_command("former_slug", "tech", "tech-news", stdout=StringIO())

    assert mailable() == {RITA, BOB, "dora@fourth.org"}
    assert verification.verify().faults == []
    product.slug = "tech-news"
    with pytest.raises(ValidationError, match="Another newsletter had this slug"):
        product.full_clean()


def test_each_who_is_left_out_is_counted_once_with_the_reason(newsletter: Newsletter, product: Newsletter) -> None:
    now = timezone.now()
    everybody = [confirmed(f"reader{number}@reader.org", newsletter) for number in range(6)]
    other = confirmed(BOB, product)
    paused = [subscription.pk for subscription in everybody[:3]]
    Subscription.objects.filter(pk__in=paused).update(paused_until=now + timedelta(days=1))
    for subscription in everybody[2:4]:
        Suppression.objects.create(address_hash=subscription.subscriber.address_hash, reason="hard_bounce")
    Subscription.objects.filter(pk=everybody[4].pk).update(consent_event=other.consent_event, paused_until=None)

    left_out = unmailed.among(Subscription.objects.filter(newsletter=newsletter), now=now)
    assert (left_out.unproved, left_out.suppressed, left_out.paused) == (1, 2, 2)
    assert str(left_out).startswith("5 confirmed readers are not mailed: 2 because the address bounced")
    assert verification.verify().faults[0].startswith("Not mailed: 1 confirmed reader of “Tech News”, because the")
    assert str(unmailed.among(Subscription.objects.filter(newsletter=product), now=now)) == ""
