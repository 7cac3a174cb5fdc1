"""A newsletter's growth: who was won and lost, where they came from and why they left. The numbers add up."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.utils import timezone

from digests import growth
from mailkit import addresses
from subscribers import consent, erasure, links, preferences, signup, suppression
from subscribers.models import Newsletter, Subscriber, Subscription, Suppression
from tests import ownership, query_work
from tests.cast import Publish, Staff, confirmed, evidence, import_readers

pytestmark = pytest.mark.django_db
TODAY = timezone.now()


def at_story(address: str, newsletter: Newsletter, slug: str) -> Subscription:
    """Signs up below a story, and confirms a day later."""
    mailbox, asked = addresses.normalise(address), evidence()
    on_the_page = consent.Evidence(
        form_url=f"https://news.test/articles/{slug}/",
        versions=asked.versions,
        form_text=asked.form_text,
        source="form",
    )
    day = TODAY - timedelta(days=3)
    signup.request(address=mailbox, newsletter_cadences=[(newsletter, "daily")], evidence=on_the_page, now=day)
    reader = Subscriber.objects.get(address_key=mailbox.key)
    token = links.confirm_token(subscriptions=reader.subscriptions.all())
    by_link = consent.Evidence(source="confirm_link")
    return signup.confirm(token=token, evidence=by_link, now=day + timedelta(days=1)).subscriptions[0]


def leave(subscription: Subscription, reason: str) -> None:
    signup.unsubscribe(
        subscription=subscription, evidence=consent.Evidence(), reason=reason, now=TODAY - timedelta(hours=1)
    )


def test_who_came_who_left_and_from_where(
    newsletter: Newsletter, texts: object, publish: Publish, staff: Staff
) -> None:
    story = publish("Gold")
    first, second = (at_story(f"story-{number}@reader.org", newsletter, story.slug) for number in (1, 2))
    by_form = confirmed("form@reader.org", newsletter, now=TODAY - timedelta(days=2))
    # Won before these days: only the leaving counts.
    old, erased, bounced, changed = import_readers(
        "d@old.org", "e@old.org", "f@old.org", "g@old.org", newsletter=newsletter, at=TODAY - timedelta(days=90)
    )
    import_readers("new@paper.org", newsletter=newsletter, at=TODAY - timedelta(days=5))
    leave(first, "one_click")
    leave(old, "complaint")
    preferences.change_cadence(subscription=changed, cadence="weekly", evidence=consent.Evidence(), now=TODAY)
    an_hour_ago, hard = TODAY - timedelta(hours=1), Suppression.Reason.HARD_BOUNCE
    gone = erased.subscriber.address_key
    erasure.erase(address_key=gone, evidence=consent.Evidence(), actor=None, now=an_hour_ago)
    suppression.suppress(address_key=bounced.subscriber.address_key, reason=hard, actor=None, now=an_hour_ago)
    # Twice yes, once no, once yes again: a way through all of it counts each turn.
    leave(by_form, "preferences")
    preferences.subscribe_again(subscription=by_form, evidence=consent.Evidence(source="subscribe_again"), now=TODAY)

    grown = growth.of(newsletter=newsletter, now=TODAY + timedelta(seconds=1))

    assert {source.name: source.readers for source in grown.sources} == {
        "story: Gold": 2,
        "sign-up form": 1,
        "import: A paper form": 1,
        "took an unsubscribe back": 1,
    }
    assert {loss.name: loss.readers for loss in grown.losses} == {
        "button of the mail program": 1,
        "marked a mail as spam": 1,
        "preferences page": 1,
        "erased": 1,
        "blocked: hard bounce": 1,
    }
    assert (grown.won, grown.lost, grown.net) == (5, 5, 0)
    assert sum(source.readers for source in grown.sources) == grown.won
    assert sum(loss.readers for loss in grown.losses) == grown.lost
    assert (len(grown.days), {day.won for day in grown.days if day.won}) == (30, {1, 3})
    # second, by_form, new@paper.org, changed
    assert grown.readers == 4 == Subscription.objects.all().mailable(now=TODAY).count()
    assert second.newsletter == newsletter

    check_page(newsletter, staff)


def check_page(newsletter: Newsletter, staff: Staff) -> None:
    page = BeautifulSoup(staff("Editor").get(f"/admin/digests/issue/growth/{newsletter.pk}/").content, "html5lib")
    assert "4 readers; 5 won, 5 lost." in " ".join(page.get_text().split())
    values = [int(str(cell["data-value"])) for cell in page.select("#growth-days td")]
    assert sum(values[0::2]) == sum(values[1::2]) == 5
    assert staff("Author").get(f"/admin/digests/issue/growth/{newsletter.pk}/").status_code == 403


def test_the_work_grows_with_the_readers_and_not_with_their_square(newsletter: Newsletter, texts: object) -> None:
    readers = 400
    import_readers(*(f"{n}@paper.org" for n in range(readers)), newsletter=newsletter, at=TODAY - timedelta(days=5))

    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE subscribers_consentevent")
    with query_work.measured() as work:
        assert growth.of(newsletter=newsletter, now=TODAY).won == readers

    assert work.rows < 50 * readers
