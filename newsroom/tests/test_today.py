"""The first page of the desk: what is to come, what waits for whom, and what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from articles import publishing
from articles.models import Article, Author, Byline, Section
from digests import approval, composing
from digests.models import Issue, IssueEventCount, IssueOutcome
from newsroom.desk import standing
from publication import groups
from publication.models import Publication
from subscribers import consent_heads
from subscribers.models import Cadence, ConsentEvent, Newsletter
from subscribers.tests.test_consent_chain import an_intruder
from tests import redis_keys
from tests.cast import RITA, Publish, Readers, Staff, account, confirmed, signed_in

pytestmark = pytest.mark.django_db


def page(role: str, staff: Staff) -> str:
    """The words of the first page, on one line."""
    return " ".join(staff(role).get("/admin/").content.decode().split())


def test_it_says_what_goes_out_next_and_to_how_many(
    newsletter: Newsletter, publish: Publish, readers: Readers, staff: Staff
) -> None:
    readers(3)
    publish("A window opens")
    publish("A window closes")
    words = page(groups.PUBLISHER, staff)
    daily = words.partition("Daily</span>")[2].partition("</tr>")[0]
    assert "07:00 in Berlin" in daily
    assert ">2</td>" in daily, "stories so far"
    assert ">3</td>" in daily, "readers"
    assert "Becomes a draft" in daily
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
    shown = signed_in(User.objects.get(username="publisher")).get(f"/admin/newsletters/{newsletter.pk}/")
    assert "<dt>Daily</dt>" in shown.content.decode(), "the audience by cadence"
    assert f"/newsletters/{newsletter.slug}/" in shown.content.decode(), "the form's address"
    words = page_of(groups.PUBLISHER)
    assert words.index("Waits for approval") < words.index("Becomes a draft"), "what needs a person is first"
    assert f"/admin/digests/issue/{issue.pk}/change/" in words
    assert "<strong>3</strong> confirmed subscriptions" in words


def page_of(name: str) -> str:
    """The same page again, of somebody who has an account."""
    client = signed_in(User.objects.get(username=name.lower()))
    return " ".join(client.get("/admin/").content.decode().split())


def test_what_waits_and_what_is_wrong_is_for_those_who_can_act(
    newsletter: Newsletter, publish: Publish, section: Section, staff: Staff
) -> None:
    anna = account("anna", groups.AUTHOR)
    byline = Author.objects.create(name="Anna", slug="anna", user=anna)
    for headline in ("Hers to write", "Hers to be read"):
        story = Article.objects.create(headline=headline, slug=headline[-7:], section=section, body_markdown="Words.")
        Byline.objects.create(article=story, author=byline)
        publishing.save_revision(article=story, actor=anna, now=timezone.now())
    publishing.submit(article=story, actor=anna, now=timezone.now())
    publish("Out")
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
    then = timezone.now() - timedelta(hours=1)
    approval.approve(issue=issue, actor=None, now=then, when=then)
    Publication.objects.update(postal_address=" ")

    hers = " ".join(signed_in(anna).get("/admin/").content.decode().split())
    assert hers.index("Hers to write") > 0
    assert "What is wrong" not in hers
    assert "Out</a>" not in hers.partition('id="waits"')[2].partition("</section>")[0]
    editor = page(groups.EDITOR, staff)
    assert "Hers to be read" in editor.partition("To be read")[0]
    assert "Hers to write" not in editor, "a draft waits for its writer alone"
    publisher = page(groups.PUBLISHER, staff)
    assert "was due and has not begun" in publisher
    administrator = signed_in(User.objects.create_superuser("ada")).get("/admin/").content.decode()
    assert "no postal address" in administrator
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.CANCELLED)
    assert "has not begun" not in page_of(groups.PUBLISHER)


def test_what_the_clock_found_out_is_a_fault(
    newsletter: Newsletter, staff: Staff, settings: Settings, tmp_path: Path
) -> None:
    """Lost events of the consent record, and complaints over the limit; the page itself looks at nothing."""
    settings.CONSENT_HEADS = tmp_path
    redis_keys.forget()
    confirmed(RITA, newsletter)
    consent_heads.anchor(now=timezone.now())
    now = timezone.now()
    sent = Issue.objects.create(
        newsletter=newsletter, number=7, kind="digest", cadence="daily", state="sent", planned_at=now, finished_at=now,
        audience_count=1_000, period_key="7",
    )  # fmt: skip
    IssueOutcome.objects.create(issue=sent, state="accepted", reason="", copies=1_000)
    IssueEventCount.objects.create(issue=sent, kind="complaint", events=4)
    standing.refresh()
    publisher = page(groups.PUBLISHER, staff)
    assert "0.40 % of the copies were marked as spam" in publisher
    assert "record of consent" not in publisher
    with an_intruder():
        ConsentEvent.objects.filter(pk=ConsentEvent.objects.latest("pk").pk).update(hash="0" * 64)
    standing.refresh()
    assert "The record of consent does not hold." in page_of(groups.PUBLISHER)


def test_its_queries_do_not_grow(
    newsletter: Newsletter, publish: Publish, readers: Readers, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ada = signed_in(User.objects.create_superuser("ada"))
    readers(30)
    for number in range(12):
        publish(f"Story {number}")
    ada.get("/admin/")
    with django_assert_max_num_queries(40):
        ada.get("/admin/")
