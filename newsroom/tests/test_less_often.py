"""The desk's page that moves readers to a lower cadence: the numbers, what will happen, the progress."""

import pytest

from newsroom.tests.test_agreements import words
from publication import groups
from subscribers import reductions
from subscribers.models import Newsletter, Reduction
from tests.cast import BOB, RITA, Staff, confirmed

pytestmark = pytest.mark.django_db


def test_it_says_how_many_and_what_will_happen_then_moves_them(newsletter: Newsletter, staff: Staff) -> None:
    confirmed(RITA, newsletter, cadence="instant")
    confirmed(BOB, newsletter, cadence="weekly")
    publisher, path = staff(groups.PUBLISHER), f"/admin/newsletters/{newsletter.pk}/less-often/"
    assert path in words(publisher.get(f"/admin/newsletters/{newsletter.pk}/"))
    page = words(publisher.get(path))
    assert "Each story at once → Daily: 1 reader" in page
    assert "Each story at once → Weekly: 1 reader" in page
    assert "Weekly →" not in page
    assert "→ Each story at once" not in page

    asked = words(publisher.get(path, {"move": "instant-daily"}))
    assert "Move 1 reader and write to them" in asked
    assert "Nobody gets a story twice or misses one by it." in asked
    assert "Select a valid choice" in words(publisher.get(path, {"move": "weekly-instant"}))
    assert not Reduction.objects.exists()

    assert "0 of 1 readers are moved" in words(publisher.post(path, {"move": "instant-daily"}, follow=True))
    reductions.run_reduction(Reduction.objects.get().pk)
    done = words(publisher.get(path))
    assert "1 reader moved" in done
    assert "Asked for the former cadence back: 0. Letters sent: 0, waiting: 1, not sent: 0." in done


def test_the_page_of_a_newsletter_says_what_new_readers_get(newsletter: Newsletter, staff: Staff) -> None:
    Newsletter.objects.update(default_cadence="weekly")
    page = words(staff(groups.EDITOR).get(f"/admin/newsletters/{newsletter.pk}/"))
    assert "unless they choose otherwise: Every Monday at 07:00 (Europe/Berlin)" in page


def test_it_asks_for_the_password_again(newsletter: Newsletter, staff: Staff) -> None:
    confirmed(RITA, newsletter, cadence="instant")
    publisher = staff(groups.PUBLISHER)
    session = publisher.session
    session["proved_at"] = 0.0
    session.save()
    path = f"/admin/newsletters/{newsletter.pk}/less-often/"

    assert "Is it you?" in words(publisher.post(path, {"move": "instant-daily"}))
    assert not Reduction.objects.exists()
