"""Approval by a second person: who may, who is asked, and what an edit does to it."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from digests import approval, arranging, second_person
from digests.models import Issue
from digests.tests.editing import items
from subscribers.models import Newsletter
from tests.cast import account, signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db

State = Issue.State


@pytest.fixture
def ada(db: None) -> User:
    """A publisher."""
    return account("ada", "Publisher")


@pytest.fixture
def ben(db: None) -> User:
    """Another publisher."""
    return account("ben", "Publisher")


@rows(
    "asks_for_it, editors, asked_by, ada_may",
    [
        (False, "ada", "", True),
        (True, "ada", "", False),
        (True, "ada", "ada", False),
        (True, "ben", "ada", False),
        (True, "ben", "ben", True),
        (True, "ben", "", True),
        (True, "ada ben", "ben", False),
        (True, "", "", True),
    ],
)
def test_who_may_approve(
    digest: Issue, ada: User, ben: User, asks_for_it: bool, editors: str, asked_by: str, ada_may: bool
) -> None:
    """The clock's own digest, which nobody changed, needs one person; one that Ada arranged needs another."""
    people = {"ada": ada, "ben": ben, "": None}
    Newsletter.objects.update(second_person_approves=asks_for_it)
    for name in editors.split():
        second_person.edited(issue=digest, actor=people[name])
    Issue.objects.update(asked_by=people[asked_by])
    if ada_may:
        assert approval.approve(issue=digest, actor=ada, now=timezone.now()).state == State.SCHEDULED
    else:
        with pytest.raises(second_person.NotAllowed, match="asks for a second person"):
            approval.approve(issue=digest, actor=ada, now=timezone.now())
        digest.refresh_from_db()
        assert digest.state == State.DRAFT


def test_a_save_of_a_colleague_makes_nobody_a_second_person(digest: Issue, ada: User, ben: User) -> None:
    """Nor does a form that was saved as it was."""
    Newsletter.objects.update(second_person_approves=True)
    arranging.move_to_top(issue=digest, items=[digest.items.last().pk], actor=ada)  # type: ignore[union-attr]  # it has stories
    page = f"/admin/digests/issue/{digest.pk}/change/"
    edda = account("edda", "Editor")
    for person, words in ((edda, {"preheader": "Good morning"}), (ben, {"preheader": "Good morning"})):
        assert signed_in(person).post(page, items(digest) | words).status_code == 302
    digest.refresh_from_db()
    assert (set(digest.editors.all()), digest.edited_by) == ({ada, edda}, edda)
    with pytest.raises(second_person.NotAllowed, match="You changed this issue"):
        approval.approve(issue=digest, actor=ada, now=timezone.now())
    second_person.ask(issue=digest, actor=edda, now=timezone.now())
    assert [list(second_person.issues_waiting_for(user)) for user in (ada, ben)] == [[], [digest]]
    approval.approve(issue=digest, actor=ben, now=timezone.now())


def test_asking_shows_it_to_those_who_may_until_it_is_changed(digest: Issue, ada: User, ben: User) -> None:
    Newsletter.objects.update(second_person_approves=True)
    editor = account("edda", "Editor")
    arranging.move_to_top(issue=digest, items=[digest.items.last().pk], actor=ada)  # type: ignore[union-attr]  # it has stories
    second_person.ask(issue=digest, actor=editor, now=timezone.now())
    waiting = {user.username: list(second_person.issues_waiting_for(user)) for user in (ada, ben, editor)}
    assert waiting == {"ada": [], "ben": [digest], "edda": []}
    assert "edda asks for your approval." in " ".join(signed_in(ben).get("/admin/").content.decode().split())
    arranging.move_to_top(issue=digest, items=[digest.items.last().pk], actor=ben)  # type: ignore[union-attr]  # as above
    assert list(second_person.issues_waiting_for(ben)) == []
    second_person.ask(issue=digest, actor=ben, now=timezone.now())
    cleo = account("cleo", "Publisher")
    assert [list(second_person.issues_waiting_for(user)) for user in (ada, cleo)] == [[], [digest]]
    approval.approve(issue=digest, actor=cleo, now=timezone.now())
    assert list(second_person.issues_waiting_for(cleo)) == []
    with pytest.raises(second_person.NotAllowed, match="Only a draft"):
        second_person.ask(issue=digest, actor=ben, now=timezone.now())


def test_the_clock_s_own_digest_waits_for_those_who_may_approve(digest: Issue, ada: User, ben: User) -> None:
    Newsletter.objects.update(second_person_approves=True)
    second_person.ask(issue=digest, actor=ben, now=timezone.now())
    assert list(second_person.issues_waiting_for(ada)) == [digest]
    assert list(second_person.issues_waiting_for(ben)) == []


def test_a_newsletter_that_approves_itself_has_no_second_person(newsletter: Newsletter) -> None:
    newsletter.auto_approve = newsletter.second_person_approves = True
    with pytest.raises(ValidationError, match="has no second person"):
        newsletter.clean()
