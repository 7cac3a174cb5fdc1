"""What editors see of an issue whose readers chose topics and formats: who gets what, each text, and its copies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from digests import composing, proofs, readership, variant_names
from digests.models import Delivery, Issue
from digests.tests import chosen, multilingual
from digests.tests.chosen import BUSINESS, CULTURE, SPORT, TRAVEL, choose
from digests.tests.editing import change
from publication.models import Publication
from subscribers.models import Cadence
from tests.cast import Publish, Staff, import_readers, make_newsletter

pytestmark = pytest.mark.django_db
NAMES = ("all", "arts", "arts-too", "games", "gone", "short")


@pytest.fixture
def issue(publication: Publication, publish: Publish) -> Issue:
    newsletter, now = make_newsletter(), timezone.now()
    chosen.desks()
    rows = import_readers(*(f"{name}@readers.example" for name in NAMES), newsletter=newsletter)
    named = {row.subscriber.address.partition("@")[0]: row for row in rows}
    choose(named["arts"], CULTURE, now=now)
    choose(named["arts-too"], CULTURE, TRAVEL, now=now)
    choose(named["games"], SPORT, BUSINESS, now=now)
    choose(named["gone"], TRAVEL, now=now)
    choose(named["short"], format="headlines", now=now)
    for age, (headline, (section, tag)) in enumerate(chosen.STORIES.items(), start=1):
        chosen.print_(publish, headline, section, now - timedelta(minutes=age), tag)
    return composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)


def listed(client: Client, path: str) -> list[str]:
    page = BeautifulSoup(client.get(path).content.decode(), "html5lib")
    return [" ".join(line.get_text().split()) for line in page.select("#variants summary, #variants li")]


EXPECTED = [
    "4 variants: who gets what",
    "all stories: 1 reader",
    "all stories · headlines only: 1 reader",
    "Culture (and 1 like choice): 2 readers",
    "Sport, Business: 1 reader",
    "no story on their topics, so no mail: 1 reader",
]


def test_the_composer_and_the_approval_say_who_gets_what(issue: Issue, staff: Staff) -> None:
    publisher = staff("Publisher")
    assert listed(publisher, change(issue)) == EXPECTED
    assert listed(publisher, f"/admin/digests/issue/{issue.pk}/do/approve/") == EXPECTED
    multilingual.approve(issue, timezone.now() + timedelta(days=1))
    assert listed(publisher, change(issue)) == EXPECTED


def test_the_approval_says_who_gets_all_for_want_of_a_text(issue: Issue, staff: Staff, settings: object) -> None:
    settings.VARIANTS_PER_ISSUE = 1  # type: ignore[attr-defined]  # pytest-django's
    page = staff("Publisher").get(f"/admin/digests/issue/{issue.pk}/do/approve/").content.decode()
    assert "1 reader who chose topics gets all stories: an issue has at most 1 variants" in " ".join(page.split())


def test_each_text_can_be_looked_at_before_and_after_the_approval(issue: Issue, staff: Staff) -> None:
    editor, preview = staff("Editor"), f"/admin/digests/issue/{issue.pk}/preview/"
    for number in range(2):
        names = {text.name: text.key for text in variant_names.looked_at(issue=issue, now=timezone.now())}
        page = editor.get(preview, {"variant": names["Sport, Business"]}).content.decode()
        assert [headline in page for headline in chosen.STORIES] == [False, True, True], number
        here = BeautifulSoup(page, "html5lib").select("nav [aria-current=page][href^='?']")
        assert [" ".join(link.get_text().split()).startswith("Sport, Business") for link in here] == [True]
        frame = editor.get(f"{preview}html/", {"variant": names["all stories · headlines only"]}).content.decode()
        assert ("Read the story" in frame, "The match" in frame) == (False, True)
        unknown = proofs.preview(issue=issue, now=timezone.now(), variant=".77")
        assert all(headline in unknown.text for headline in chosen.STORIES)
        if not number:
            multilingual.approve(issue, timezone.now())


def test_the_mail_of_one_reader_is_what_this_reader_gets(issue: Issue, staff: Staff) -> None:
    publisher, path = staff("Publisher"), f"/admin/digests/issue/{issue.pk}/as-reader/"
    for number in range(2):
        games = publisher.post(path, {"reader": "games@readers.example"}).content.decode()
        assert ("The match" in games, "The concert" in games) == (True, False), number
        gone = publisher.post(path, {"reader": "gone@readers.example"}).content.decode()
        assert ("no copy leaves" in gone, "The match" in gone) == (True, False), number
        if not number:
            multilingual.approve(issue, timezone.now())


def test_the_monitor_counts_the_copies_of_each_text(issue: Issue, staff: Staff) -> None:
    approved = multilingual.approve(issue, timezone.now())
    keys = [str(text.key) for text in readership.of(issue=issue, now=timezone.now()).texts]
    Delivery.objects.create(issue=approved, state="accepted")
    for key in keys:
        Delivery.objects.create(issue=approved, state="accepted", variant=key)
    Delivery.objects.create(issue=approved, state="suppressed", reason="no_story_chosen", variant="-")
    Issue.objects.update(state="sending", planned_at=timezone.now(), audience_count=5, started_at=timezone.now())
    page = BeautifulSoup(staff("Editor").get(change(issue)).content.decode(), "html5lib")
    table = page.find("caption", string="Of each variant")
    assert table is not None
    assert table.parent is not None
    assert [[cell.get_text() for cell in row.select("th, td")] for row in table.parent.select("tbody tr")] == [
        ["all stories", "1", "1 accepted"],
        ["all stories · headlines only", "1", "1 accepted"],
        ["Culture (and 1 like choice)", "1", "1 accepted"],
        ["Sport, Business", "1", "1 accepted"],
        ["no story on their topics, so no mail", "1", "1 suppressed"],
    ]
