"""The calendar: stories and issues by day in the desk's zone, moved by drag or form, within each person's rights."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from articles import publishing, review
from articles.models import Article, Section
from digests import approval
from digests.models import Issue
from newsroom.desk import calendar
from publication.models import Publication
from subscribers.models import Newsletter
from tests.cast import Publish, account, signed_in

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")


def draft(section: Section, headline: str) -> Article:
    story = Article.objects.create(headline=headline, slug=headline.lower(), section=section, body_markdown="Words.")
    publishing.save_revision(article=story, actor=None, now=timezone.now())
    return story


def test_what_is_on_which_day(publication: Publication, newsletter: Newsletter, publish: Publish) -> None:
    Publication.objects.update(time_zone="Europe/Berlin")
    now = timezone.now()
    publish("Yesterday", now - timedelta(days=1))
    section = Section.objects.get()
    scheduled, planned = draft(section, "Coming"), draft(section, "Planned")
    # Half an hour before midnight in UTC is the next day in Berlin.
    late = (now + timedelta(days=40)).replace(hour=23, minute=30, second=0, microsecond=0)
    publishing.schedule(article=scheduled, publish_at=late, actor=None, now=now)
    day = (late + timedelta(days=1)).date()
    review.plan(article=planned, day=day, actor=None, now=now)
    client = signed_in(account("paul", "Publisher"))
    page = client.get(reverse("desk:calendar"), {"week": day.isoformat()})
    entries = {(row.day, entry.kind, entry.title) for row in page.context["days"] for entry in row.entries}
    assert {(day, "scheduled", "Coming"), (day, "planned", "Planned")} <= entries
    assert sum(kind == "run" and title == "Tech News, daily" for _day, kind, title in entries) == 7
    today = client.get(reverse("desk:calendar"))
    assert [row.is_today for row in today.context["days"]].count(True) == 1
    assert "All hours are in Europe/Berlin" in today.content.decode()
    ada = signed_in(account("ada", "Author")).get(reverse("desk:calendar"), {"week": day.isoformat()})
    assert "Coming" not in ada.content.decode()
    assert client.get(reverse("desk:calendar"), {"month": "9999-99"}).status_code == 200


def test_a_story_moves_and_keeps_its_hour(publication: Publication, publish: Publish, section: Section) -> None:
    """Across the change of the clocks too; a published one stays, and an author moves only own drafts."""
    Publication.objects.update(time_zone="Europe/Berlin")
    now, year = timezone.now(), timezone.now().year + 1
    story = draft(section, "Coming")
    publishing.schedule(article=story, publish_at=datetime(year, 7, 1, 5, tzinfo=UTC), actor=None, now=now)
    with timezone.override(BERLIN):
        calendar.move(article=story, day=date(year, 12, 1), actor=None, now=now)  # type: ignore[arg-type]  # the clock's right
    assert story.publish_at == datetime(year, 12, 1, 6, tzinfo=UTC)
    with pytest.raises(publishing.NotReady):
        calendar.move(article=story, day=date(2020, 1, 1), actor=None, now=now)  # type: ignore[arg-type]  # as above
    address = reverse("desk:calendar_move", args=[story.pk])
    assert signed_in(account("ada", "Author")).post(address, {"day": f"{year}-12-02"}).status_code == 404
    refused = signed_in(account("edda", "Editor")).post(address, {"day": f"{year}-12-02"})
    assert "Your account may not do this" in refused.content.decode()
    out = publish("Out")
    reply = signed_in(account("paul", "Publisher")).post(
        reverse("desk:calendar_move", args=[out.pk]), {"day": f"{year}-12-02"}
    )
    assert "This story is out" in reply.content.decode()


def test_an_issue_moves_and_keeps_the_hour_of_its_readers(newsletter: Newsletter, publish: Publish) -> None:
    """A draft at once; an approved one is asked about, with its readers; one that is being sent stays."""
    Publication.objects.update(time_zone="Europe/London")
    Newsletter.objects.update(time_zone="Asia/Bishkek")
    newsletter.refresh_from_db()
    publish("Out")
    year = timezone.now().year + 1
    # Seven in Bishkek, one in London.
    issue = Issue.objects.create(
        newsletter=newsletter,
        subject="Gold",
        introduction="It rose.",
        scheduled_for=datetime(year, 1, 5, 1, tzinfo=UTC),
    )
    client = signed_in(account("paul", "Publisher"))
    address = reverse("desk:calendar_move_issue", args=[issue.pk])
    assert f'data-move="{address}"' in client.get(reverse("desk:calendar"), {"week": f"{year}-01-05"}).content.decode()
    moved = client.post(address, {"day": f"{year}-07-06"}, follow=True)
    monday = f"{date(year, 7, 6):%A} 6 July {year}"
    assert f"“Gold” leaves {monday}, 07:00 in Bishkek once it is approved" in moved.content.decode()
    issue.refresh_from_db()
    assert issue.scheduled_for == datetime(year, 7, 6, 1, tzinfo=UTC)
    assert "Choose a day within" in client.post(address, {"day": "2020-07-06"}).content.decode()
    approval.approve(issue=issue, actor=None, now=timezone.now())
    asked = client.get(address, {"day": f"{year}-07-07"}).content.decode()
    assert "07:00 in Bishkek, to 0 readers" in asked
    assert f'value="{year}-07-07"' in asked
    moved = client.post(address, {"day": f"{year}-07-07"}, follow=True)
    assert f"“Gold” leaves {date(year, 7, 7):%A} 7 July {year}, 07:00 in Bishkek, instead of" in moved.content.decode()
    assert "data-asks" in moved.content.decode()
    ada = signed_in(account("ada", "Author"))
    assert ada.post(address, {"day": f"{year}-07-08"}).status_code == 403
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.PREPARING)
    assert "this one is preparing" in client.post(address, {"day": f"{year}-07-08"}).content.decode()
    page = client.get(reverse("desk:calendar"), {"week": f"{year}-07-07"}).content.decode()
    assert "Gold" in page
    assert address not in page
