"""Which stories a digest has, and that each is in exactly one digest of its series."""

from datetime import UTC, datetime, time, timedelta

import pytest

from articles.models import Article, Section
from digests import composing, series
from digests.models import Issue
from subscribers import cadences
from subscribers.models import Cadence, CadenceOffer, Newsletter
from tests.cast import SINCE, Publish

DAY = timedelta(days=1)


def headlines(issue: Issue) -> list[str]:
    return [item.article.headline for item in issue.items.order_by("position")]


def compose(newsletter: Newsletter, end: datetime, **others: datetime) -> Issue:
    return composing.compose(
        newsletter=newsletter,
        cadence=Cadence.DAILY,
        period_key=end.date().isoformat(),
        window_end=end,
        now=others.get("now", end),
    )


def test_the_first_window_starts_when_the_cadence_was_offered(newsletter: Newsletter, publish: Publish) -> None:
    publish("Before", SINCE)
    publish("After", SINCE + timedelta(seconds=1))
    issue = compose(newsletter, SINCE + DAY)
    assert (issue.state, issue.window_start, headlines(issue)) == (Issue.State.DRAFT, SINCE, ["After"])


def test_windows_touch_and_do_not_overlap(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    publish("At the end", now)
    publish("Just after", now + timedelta(microseconds=1))
    first, second = compose(newsletter, now), compose(newsletter, now + DAY)
    assert (headlines(first), headlines(second)) == (["At the end"], ["Just after"])
    assert second.window_start == first.window_end


def test_the_newest_story_leads(digest: Issue) -> None:
    assert headlines(digest) == ["Third", "Second", "First"]


def test_asking_again_gives_the_same_issue(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    publish("One", now - timedelta(hours=1))
    first = compose(newsletter, now)
    publish("Late", now - timedelta(minutes=1))
    assert compose(newsletter, now, now=now + timedelta(hours=1)) == first
    assert headlines(first) == ["One"]


def test_an_empty_window_is_recorded_and_sends_nothing(newsletter: Newsletter, now: datetime) -> None:
    issue = compose(newsletter, now)
    assert (issue.state, issue.reason_sentence, issue.number) == (
        "cancelled",
        "No story was published in this window.",
        None,
    )


def test_a_run_that_is_too_late_is_recorded_and_its_stories_come_later(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    publish("One", now - timedelta(hours=1))
    skipped = compose(newsletter, now, now=now + timedelta(hours=24, seconds=1))
    assert (skipped.state, skipped.items.count()) == (Issue.State.CANCELLED, 0)
    assert "too late" in skipped.reason_sentence
    assert headlines(compose(newsletter, now + DAY)) == ["One"]


def test_a_run_that_is_a_little_late_is_caught_up(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    publish("One", now - timedelta(hours=1))
    assert compose(newsletter, now, now=now + timedelta(hours=23)).state == Issue.State.DRAFT


def test_stories_of_a_digest_that_was_cancelled_before_it_left_come_again(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    publish("One", now - timedelta(hours=1))
    first = compose(newsletter, now)
    Issue.objects.filter(pk=first.pk).update(state=Issue.State.CANCELLED)
    assert headlines(compose(newsletter, now + DAY)) == ["One"]


def test_stories_of_a_digest_that_was_cancelled_while_it_left_do_not(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    publish("One", now - timedelta(hours=1))
    first = compose(newsletter, now)
    Issue.objects.filter(pk=first.pk).update(state=Issue.State.CANCELLED, planned_at=now)
    assert compose(newsletter, now + DAY).state_reason == composing.EMPTY


def cancel(issue: Issue) -> None:
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.CANCELLED)


def test_stories_of_a_digest_that_was_cancelled_after_the_next_was_composed_come_again_once(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    publish("One", now - timedelta(hours=1))
    publish("Left out", now - timedelta(hours=2))
    first = compose(newsletter, now)
    first.items.filter(article__headline="Left out").update(included=False)
    publish("Two", now + timedelta(hours=1))
    assert headlines(compose(newsletter, now + DAY)) == ["Two"]
    cancel(first)
    publish("Three", now + DAY + timedelta(hours=1))
    # The newest story leads, and missed stories come last.
    assert headlines(compose(newsletter, now + 2 * DAY)) == ["Three", "One"]
    assert compose(newsletter, now + 3 * DAY).state_reason == composing.EMPTY


def test_a_story_that_a_later_digest_decided_on_is_not_missed(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    story = publish("One", now - timedelta(hours=1))
    first = compose(newsletter, now)
    publish("Two", now + timedelta(hours=1))
    second = compose(newsletter, now + DAY)
    cancel(first)
    second.items.create(article=story, position=9, included=False)
    assert compose(newsletter, now + 2 * DAY).state_reason == composing.EMPTY


@pytest.mark.parametrize("withdrawn", [True, False])
def test_only_public_recent_stories_are_caught_up(
    newsletter: Newsletter, publish: Publish, now: datetime, withdrawn: bool
) -> None:
    story = publish("One", now - timedelta(hours=1))
    first = compose(newsletter, now)
    publish("Two", now + timedelta(hours=1))
    compose(newsletter, now + DAY)
    cancel(first)
    later = now + 2 * DAY if withdrawn else now + series.CATCH_UP
    if withdrawn:
        Article.objects.filter(pk=story.pk).update(state=Article.State.WITHDRAWN)
    assert compose(newsletter, later).state_reason == composing.EMPTY


def test_a_story_that_one_series_missed_is_not_missed_by_another(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    def weekly(at: datetime) -> list[str]:
        return headlines(composing.compose_now(newsletter=newsletter, cadence=Cadence.WEEKLY, now=at))

    story = Article.objects.filter(pk=publish("One", now - timedelta(hours=1)).pk)
    first = compose(newsletter, now)
    publish("Two", now + timedelta(hours=1))
    story.update(state=Article.State.WITHDRAWN)
    assert weekly(now + DAY) == headlines(compose(newsletter, now + DAY)) == ["Two"]
    story.update(state=Article.State.PUBLISHED)
    cancel(first)
    publish("Three", now + DAY + timedelta(hours=1))
    assert weekly(now + 2 * DAY) == ["Three"]
    assert headlines(compose(newsletter, now + 2 * DAY)) == ["Three", "One"]


def test_a_story_that_one_newsletter_missed_is_not_missed_by_another(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    publish("One", now - timedelta(hours=1))
    cancel(compose(newsletter, now))
    young = Newsletter.objects.create(name="Young", slug="young", description="New.", time_zone="Europe/Berlin")
    CadenceOffer.objects.create(newsletter=young, cadence=Cadence.DAILY, send_at=time(7), active_since=now)
    publish("Two", now + timedelta(hours=1))
    assert headlines(compose(young, now + DAY)) == ["Two"]


def test_only_stories_of_the_newsletters_sections(
    newsletter: Newsletter, section: Section, publish: Publish, now: datetime
) -> None:
    newsletter.sections.add(section)
    publish("Ours", now - timedelta(hours=1))
    publish("Theirs", now - timedelta(hours=1), section=Section.objects.create(name="Sport", slug="sport"))
    assert headlines(compose(newsletter, now)) == ["Ours"]


def test_only_public_stories(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    withdrawn = publish("Withdrawn", now - timedelta(hours=1))
    Article.objects.filter(pk=withdrawn.pk).update(state=Article.State.WITHDRAWN)
    assert compose(newsletter, now).state_reason == composing.EMPTY


def test_each_cadence_has_its_own_series(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    publish("One", now - timedelta(hours=1))
    daily = compose(newsletter, now)
    weekly = composing.compose_now(newsletter=newsletter, cadence=Cadence.WEEKLY, now=now)
    assert headlines(daily) == headlines(weekly) == ["One"]


def test_by_hand_the_same_day_takes_only_what_is_new_and_leaves_the_clock_alone(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    """Two digests by hand, then the clock's of the next morning: each story is in one of them."""
    publish("Morning", now - timedelta(hours=1))
    first = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)
    noon = now + timedelta(hours=3)
    publish("Noon", noon - timedelta(seconds=1))
    second = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=noon)
    publish("Night", noon + timedelta(hours=9))
    tomorrow = datetime(2025, 5, 7, 5, 0, tzinfo=UTC)
    (third,) = (issue for issue in composing.compose_due(now=tomorrow) if issue.cadence == Cadence.DAILY)
    assert [headlines(issue) for issue in (first, second, third)] == [["Morning"], ["Noon"], ["Night"]]
    assert third.period_key == "2025-05-07"


def test_as_of_a_time_takes_the_clocks_place_for_that_period(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    publish("One", now - timedelta(hours=9))
    at = datetime(2025, 5, 6, 5, 0, tzinfo=UTC)
    first = composing.compose_as_of(newsletter=newsletter, cadence=Cadence.DAILY, at=at, now=now)
    again = composing.compose_as_of(newsletter=newsletter, cadence=Cadence.DAILY, at=at + timedelta(hours=4), now=now)
    assert first == again
    assert (first.period_key, first.window_end) == ("2025-05-06", at)
    assert not [issue for issue in composing.compose_due(now=now) if issue.cadence == Cadence.DAILY]


def test_an_empty_period_to_come_is_left_to_the_clock(newsletter: Newsletter, now: datetime) -> None:
    with pytest.raises(composing.NothingYet):
        composing.compose_as_of(newsletter=newsletter, cadence=Cadence.DAILY, at=now + DAY, now=now)
    assert not Issue.objects.exists()


def test_as_of_a_future_time_leaves_later_stories_free(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    publish("Now", now - timedelta(hours=1))
    ahead = composing.compose_as_of(newsletter=newsletter, cadence=Cadence.DAILY, at=now + DAY, now=now)
    publish("Later", now + timedelta(hours=1))
    following = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now + timedelta(hours=2))
    assert (ahead.period_key, headlines(ahead), headlines(following)) == ("2025-05-07", ["Now"], ["Later"])


@pytest.mark.parametrize(
    ("cadence", "sentence"), [("instant", cadences.names_of_digests()), ("hourly", "it offers daily, instant")]
)
def test_a_cadence_that_is_not_offered_is_refused(
    newsletter: Newsletter, now: datetime, cadence: str, sentence: str
) -> None:
    CadenceOffer.objects.filter(cadence=Cadence.WEEKLY).update(is_active=False)
    with pytest.raises(composing.NotOffered, match=sentence):
        composing.compose_now(newsletter=newsletter, cadence=cadence, now=now)


def test_a_newsletter_that_approves_by_itself_has_its_digest_approved(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    newsletter.auto_approve = True
    newsletter.save()
    publish("One", now - timedelta(hours=1))
    issue = compose(newsletter, now)
    assert (issue.state, issue.number, issue.approved_by) == (Issue.State.SCHEDULED, 1, None)


def test_a_digest_by_hand_waits_for_the_person_who_composed_it(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    newsletter.auto_approve = True
    newsletter.save()
    publish("One", now - timedelta(hours=1))
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)
    assert issue.state == Issue.State.DRAFT


def test_if_it_cannot_be_approved_a_draft_says_why(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    newsletter.auto_approve = True
    newsletter.sender_address = "nobody@127.0.0.1"
    newsletter.save()
    publish("One", now - timedelta(hours=1))
    issue = compose(newsletter, now)
    assert (issue.state, issue.number) == (Issue.State.DRAFT, None)
    assert issue.reason_sentence.startswith("Check the addresses of sender")


class TestScheduledDigests:
    """compose_due: the work of one tick."""

    def test_a_digest_is_made_once_however_often_the_clock_ticks(
        self, newsletter: Newsletter, publish: Publish, now: datetime
    ) -> None:
        publish("One", now - timedelta(hours=7))
        issues = [issue for _ in range(3) for issue in composing.compose_due(now=now)]
        assert sorted((issue.cadence, issue.period_key) for issue in issues) == [
            ("daily", "2025-05-06"),
            ("weekly", "2025-W19"),
        ]

    def test_a_run_before_the_cadence_was_offered_is_not_due(self, newsletter: Newsletter, now: datetime) -> None:
        CadenceOffer.objects.update(active_since=now - timedelta(hours=1))
        assert composing.compose_due(now=now) == []

    def test_a_cadence_that_is_switched_off_is_not_due(self, newsletter: Newsletter, now: datetime) -> None:
        CadenceOffer.objects.update(is_active=False)
        assert composing.compose_due(now=now) == []

    def test_after_an_outage_one_digest_holds_the_stories_of_all_days(
        self, newsletter: Newsletter, publish: Publish, now: datetime
    ) -> None:
        for days in (3, 2, 1):
            publish(f"{days} days ago", now - timedelta(days=days))
        (daily,) = (issue for issue in composing.compose_due(now=now) if issue.cadence == Cadence.DAILY)
        assert headlines(daily) == ["1 days ago", "2 days ago", "3 days ago"]

    def test_a_newsletter_that_is_broken_keeps_no_other_from_its_digest(
        self, newsletter: Newsletter, publish: Publish, now: datetime
    ) -> None:
        publish("One", now - timedelta(hours=7))
        broken = Newsletter.objects.create(name="Broken", slug="broken", description="x", time_zone="Europe/Nowhere")
        CadenceOffer.objects.create(newsletter=broken, cadence=Cadence.DAILY, send_at=time(1), active_since=SINCE)
        assert {issue.newsletter for issue in composing.compose_due(now=now)} == {newsletter}


class TestInstantIssues:
    """compose_instant: one issue per story."""

    def test_each_new_story_gets_its_issue_once(self, newsletter: Newsletter, publish: Publish, now: datetime) -> None:
        stories = [publish(name, now - timedelta(hours=1)) for name in ("One", "Two")]
        issues = [issue for _ in range(2) for issue in composing.compose_instant(now=now)]
        assert [(issue.kind, issue.period_key) for issue in issues] == [
            ("article", f"article-{story.pk}") for story in stories
        ]
        assert [headlines(issue) for issue in issues] == [["One"], ["Two"]]

    def test_old_news_is_not_sent_at_once(self, newsletter: Newsletter, publish: Publish, now: datetime) -> None:
        publish("Old", now - timedelta(hours=6))
        assert composing.compose_instant(now=now) == []

    def test_a_story_from_before_the_offer_is_refused(
        self, newsletter: Newsletter, publish: Publish, now: datetime
    ) -> None:
        with pytest.raises(composing.Mismatch, match="at once"):
            composing.compose_article_issue(newsletter=newsletter, article=publish("Old", SINCE), now=now)


def test_a_story_that_was_added_by_hand_is_not_offered_again(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    publish("One", now - timedelta(hours=1))
    first = compose(newsletter, now)
    story = publish("Came in late", now + timedelta(minutes=5))
    first.items.create(article=story, position=9)
    publish("Two", now + timedelta(hours=1))
    second = compose(newsletter, now + DAY)
    assert (headlines(first), headlines(second)) == (["One", "Came in late"], ["Two"])
    with pytest.raises(composing.Mismatch, match="another issue for the same readers"):
        composing.check_story(issue=second, article=story)
