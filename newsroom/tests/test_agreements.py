"""The desk's page of what readers agreed to: the numbers, the demand with what it costs, and the way back."""

from typing import Any

import pytest
from django.utils import timezone

from publication import groups
from subscribers import legal
from subscribers.models import LegalVersion, Letter, Newsletter
from subscribers.tests.test_mailed_only_with_consent import mailable
from tests.cast import BOB, RITA, Staff, confirmed

pytestmark = pytest.mark.django_db
PAGE = "/admin/agreements/"


def words(response: Any) -> str:
    """The page on one line."""
    return " ".join(response.content.decode().split())


def test_a_demand_says_first_what_it_costs(newsletter: Newsletter, texts: list[LegalVersion], staff: Staff) -> None:
    confirmed(RITA, newsletter)
    version = legal.draft(document=texts[0].document, body_markdown="Be kinder.", now=timezone.now())
    legal.publish_version(version=version, actor=None, now=timezone.now())
    confirmed(BOB, newsletter)
    publisher, form = staff(groups.PUBLISHER), f"/admin/newsletters/{newsletter.pk}/demand/terms-of-use/"
    page = words(publisher.get(PAGE))
    assert "version 2: 1 reader" in page
    assert "version 1: 1 reader" in page
    assert form in page
    assert form not in words(staff(groups.EDITOR).get(PAGE)), "an editor reads, and does not demand"

    asked = words(publisher.get(form))
    assert "Terms of use, version 2 or a newer one: 1 of 2 readers would get no more mail until they agree" in asked
    assert "Terms of use, version 1 or a newer one: 0 of 2 readers" in asked
    assert mailable() == {RITA, BOB}
    assert "Select a valid choice" in words(publisher.post(form, {"version": "7"}))

    done = words(publisher.post(form, {"version": "2"}, follow=True))
    assert "Tech News demands it now. 1 reader gets no mail until they agree." in done
    assert "not mailed" in done
    assert mailable() == {BOB}

    ask = f"/admin/newsletters/{newsletter.pk}/ask/terms-of-use/"
    assert "Ask 1 reader" in words(publisher.get(ask))
    assert not Letter.objects.filter(kind="renewal").exists()
    assert "1 letter leaves now." in words(publisher.post(ask, follow=True))
    assert "Ask 1 reader" not in words(publisher.post(ask, follow=True))
    assert Letter.objects.filter(kind="renewal").count() == 1
    publisher.post(form, {"version": "none"})
    assert mailable() == {RITA, BOB}
