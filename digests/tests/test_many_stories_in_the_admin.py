"""An issue with more stories than a form can hold: its page opens, and each of them can still be reached."""

from datetime import datetime

import pytest
from django.test import Client

from articles.models import Article, Section
from digests import arranging, composing
from digests.models import Issue, IssueItem
from digests.tests.editing import change
from subscribers.models import Cadence, Newsletter
from tests import query_work
from tests.cast import Publish, Staff
from tests.table import rows

LIST = "/admin/digests/issueitem/"
STORIES = 3_000


def issue_with(newsletter: Newsletter, section: Section, count: int, now: datetime) -> Issue:
    Article.objects.bulk_create(
        Article(
            headline=f"Story {number}", slug=f"story-{number}", section=section, state=Article.State.PUBLISHED,
            published_at=now, first_published_at=now, body_sha256="0" * 64,
        )
        for number in range(count)
    )  # fmt: skip
    return composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)


def order(issue: Issue) -> list[int]:
    return list(issue.items.order_by("position", "pk").values_list("pk", flat=True))


def form(client: Client, issue: Issue) -> dict[str, str]:
    """What the page's form would send back untouched."""
    formset = client.get(change(issue)).context["inline_admin_formsets"][0].formset
    data = {"subject": "", "preheader": "", "introduction": "", "scheduled_for_0": "", "scheduled_for_1": ""}
    data |= {f"items-{name}": str(value) for name, value in formset.management_form.initial.items()}
    for place in formset.initial_forms:
        row = {name: place.initial[name] for name in ("article", "position", "headline", "summary")}
        row |= {"id": place.instance.pk, "issue": issue.pk, "included": "on"}
        data |= {f"{place.prefix}-{name}": str(value) for name, value in row.items()}
    return data


def test_the_page_of_thousands_of_stories_shows_the_first_hundred_and_says_so(
    newsletter: Newsletter, section: Section, now: datetime, staff: Staff
) -> None:
    issue = issue_with(newsletter, section, STORIES, now)
    query_work.take_for_empty(Article, IssueItem)
    editor = staff("Editor")
    with query_work.measured() as work:
        page = editor.get(change(issue)).content.decode()
    # Far from comparing each item with every story, whatever the planner knows.
    assert STORIES < work.rows < STORIES**2 / 4
    assert "The first 100 of 3,000 stories are here." in page
    assert "the first 10 stories in full and the next 30 as headlines" in page
    assert page.count('-headline" maxlength') + page.count('-headline" value') <= 102
    assert len(page) < 3_000_000
    listed = editor.get(f"{LIST}?issue__id__exact={issue.pk}").content.decode()
    assert f"{STORIES}" in listed.replace(",", "")


def test_saving_the_form_changes_the_rows_that_it_showed_and_no_other(
    newsletter: Newsletter, section: Section, now: datetime, staff: Staff
) -> None:
    issue = issue_with(newsletter, section, 150, now)
    editor, before = staff("Editor"), order(issue)
    data = form(editor, issue) | {"items-1-headline": "In other words"}
    del data["items-2-included"]
    # Meanwhile another editor moved a story that this form does not show.
    arranging.move_to_top(issue=issue, items=[before[140]], actor=None)
    assert editor.post(change(issue), data).status_code == 302
    assert IssueItem.objects.get(pk=before[1]).headline == "In other words"
    assert list(issue.items.filter(included=False).values_list("pk", flat=True)) == [before[2]]
    assert issue.items.count() == 150


class TestTheList:
    """All stories of an issue, with what can be done to many of them."""

    @pytest.fixture
    def issue(self, newsletter: Newsletter, section: Section, now: datetime) -> Issue:
        return issue_with(newsletter, section, 5, now)

    def act(self, client: Client, action: str, *items: int) -> str:
        data = {"action": action, "_selected_action": [str(item) for item in items]}
        return client.post(LIST, data, follow=True).content.decode()

    def test_stories_are_moved_left_out_and_taken_back(self, issue: Issue, staff: Staff) -> None:
        editor = staff("Editor")
        first, second, third, fourth, fifth = order(issue)
        assert "2 stories were changed" in self.act(editor, "move_to_top", fifth, fourth)
        assert order(issue) == [fourth, fifth, first, second, third]
        self.act(editor, "leave_out", first, second)
        assert set(issue.items.filter(included=False).values_list("pk", flat=True)) == {first, second}
        self.act(editor, "take_back", second)
        assert list(issue.items.filter(included=False).values_list("pk", flat=True)) == [first]

    @rows("action", ["move_to_top", "leave_out", "take_back"])
    def test_an_approved_issue_stays_as_it_is(self, issue: Issue, staff: Staff, action: str) -> None:
        before = order(issue)
        Issue.objects.update(state=Issue.State.SCHEDULED)
        assert "is approved already" in self.act(staff("Editor"), action, before[3])
        assert (order(issue), issue.items.filter(included=True).count()) == (before, 5)

    def test_one_that_these_readers_got_elsewhere_is_not_taken_back(
        self, issue: Issue, newsletter: Newsletter, publish: Publish, now: datetime, staff: Staff
    ) -> None:
        place = issue.items.order_by("position")[0]
        arranging.leave_out(issue=issue, items=[place.pk], actor=None)
        later = Issue.objects.create(newsletter=newsletter, kind=issue.kind, cadence=issue.cadence, period_key="later")
        later.items.create(article=place.article)
        assert "is already in another issue" in self.act(staff("Editor"), "take_back", place.pk)
        assert not issue.items.get(pk=place.pk).included

    def test_who_may_only_look_is_offered_nothing(self, issue: Issue, staff: Staff) -> None:
        author = staff("Author")
        assert author.get(f"{LIST}?issue__id__exact={issue.pk}").status_code == 200
        self.act(author, "leave_out", order(issue)[0])
        assert issue.items.filter(included=True).count() == 5
