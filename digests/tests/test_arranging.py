"""What an editor may change in a draft, and that nothing changes afterwards."""

from datetime import datetime

import pytest

from articles.models import Article
from digests import composing
from digests.models import Issue
from digests.tests.conftest import Release


def shown(issue: Issue) -> list[str]:
    return [item.article.headline for item in issue.items.filter(included=True).order_by("position")]


def story(headline: str) -> Article:
    return Article.objects.get(headline=headline)


def test_stories_can_be_put_in_order(digest: Issue) -> None:
    composing.reorder(issue=digest, articles=[story("First"), story("Third"), story("Second")])
    assert shown(digest) == ["First", "Third", "Second"]


@pytest.mark.parametrize("names", [["First", "Second"], ["First", "First", "Second"]])
def test_an_order_names_every_story_once(digest: Issue, names: list[str]) -> None:
    with pytest.raises(composing.Mismatch, match="exactly once"):
        composing.reorder(issue=digest, articles=[story(name) for name in names])


def test_a_story_can_be_left_out_and_taken_back(digest: Issue) -> None:
    composing.remove_item(issue=digest, article=story("Second"))
    assert shown(digest) == ["Third", "First"]
    composing.add_item(issue=digest, article=story("Second"))
    assert shown(digest) == ["Third", "Second", "First"]


def test_a_further_story_stands_last(digest: Issue, release: Release, now: datetime) -> None:
    composing.add_item(issue=digest, article=release("Fourth", now.replace(year=2024)))
    assert shown(digest) == ["Third", "Second", "First", "Fourth"]


def test_a_story_that_is_not_public_cannot_be_added(digest: Issue, release: Release, now: datetime) -> None:
    draft = release("Draft", now)
    draft.state = Article.State.DRAFT
    draft.save()
    with pytest.raises(composing.Mismatch, match="Publish it first"):
        composing.add_item(issue=digest, article=draft)


def test_a_story_that_is_not_in_it_cannot_be_left_out(digest: Issue, release: Release, now: datetime) -> None:
    with pytest.raises(composing.Mismatch, match="does not stand"):
        composing.remove_item(issue=digest, article=release("Fourth", now))


def test_the_introduction_can_be_written(digest: Issue) -> None:
    composing.set_introduction(issue=digest, text="Good *morning*.")
    assert Issue.objects.get(pk=digest.pk).introduction == "Good *morning*."


def test_nothing_can_be_changed_once_it_is_approved(digest: Issue) -> None:
    """The row decides, not the object that a slow browser tab still holds."""
    Issue.objects.filter(pk=digest.pk).update(state=Issue.State.SCHEDULED)
    third = story("Third")
    with pytest.raises(composing.NotEditable):
        composing.add_item(issue=digest, article=third)
    with pytest.raises(composing.NotEditable):
        composing.remove_item(issue=digest, article=third)
    with pytest.raises(composing.NotEditable):
        composing.reorder(issue=digest, articles=[third])
    with pytest.raises(composing.NotEditable):
        composing.set_introduction(issue=digest, text="Too late")
    assert shown(digest) == ["Third", "Second", "First"]
