"""A story on its way through the desk: who is to read it, what was remarked, and what waits for whom."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail

from articles import notices, publishing, review, states
from articles.models import Article, Author
from articles.tests.conftest import StoryMaker
from staff.models import AuditEvent
from tests.cast import account
from tests.table import rows

pytestmark = pytest.mark.django_db
State = Article.State

VERBS: dict[str, tuple[str, dict[str, Any]]] = {
    "submit": (State.IN_REVIEW, {}),
    "approve": (State.APPROVED, {}),
    "send_back": (State.DRAFT, {"reason": "Who says so?"}),
    "publish": (State.PUBLISHED, {}),
    "withdraw": (State.WITHDRAWN, {"reason": "Not true."}),
}
SENT_BACK_FROM = {State.IN_REVIEW, State.APPROVED}


@rows(("verb", "state"), [(verb, state) for verb in VERBS for state in State.values if state != State.SCHEDULED])
def test_each_verb_in_each_state(story: StoryMaker, now: datetime, verb: str, state: str) -> None:
    article = story(state=state)
    target, more = VERBS[verb]
    is_possible = state in (SENT_BACK_FROM if verb == "send_back" else states.before(State(target)))
    try:
        getattr(publishing, verb)(article=article, actor=None, now=now, **more)
    except publishing.WrongState:
        assert not is_possible
    else:
        assert is_possible
    article.refresh_from_db()
    assert article.state == (target if is_possible else state)


def waiting(user: User) -> list[str]:
    return [f"{article.headline}: {review.why(article=article, user=user)}" for article in review.waiting_for(user)]


def test_what_waits_for_whom(story: StoryMaker, ada: User, edda: User, paul: User, now: datetime) -> None:
    """From the author to any editor, to one of them, back with a reason, approved, and out."""
    eric = account("eric", "Editor")
    author = Author.objects.create(name="Ada", slug="ada", user=ada)
    article = story(authors=(author,), headline="Rates fall")
    assert not any(map(waiting, (ada, edda, paul)))
    publishing.submit(article=article, actor=ada, now=now)
    assert (waiting(ada), waiting(edda), waiting(eric)) == ([], ["Rates fall: To be read"], ["Rates fall: To be read"])
    review.assign(article=article, assignee=edda, actor=eric, now=now)
    assert (waiting(edda), waiting(eric)) == (["Rates fall: To be read"], [])
    publishing.send_back(article=article, reason=" Who says so? ", actor=edda, now=now)
    assert (waiting(ada), waiting(edda)) == (["Rates fall: Sent back: Who says so?"], [])
    publishing.submit(article=article, actor=ada, now=now, assignee=edda)
    remark = review.comment(article=article, text="Is it 4.25?", quote="falls to 4", actor=edda, now=now)
    assert waiting(ada) == ["Rates fall: 1 open comment"]
    review.resolve(remark=remark, actor=ada, now=now)
    assert (waiting(ada), remark.resolved_by) == ([], ada)
    review.reopen(remark=remark, actor=edda, now=now)
    assert (waiting(ada), remark.resolved_at) == (["Rates fall: 1 open comment"], None)
    publishing.approve(article=article, actor=edda, now=now)
    assert waiting(paul) == ["Rates fall: Approved, to be published"]
    publishing.publish(article=article, actor=None, now=now)
    assert not any(map(waiting, (ada, edda, paul)))
    acts = [event.action for event in AuditEvent.objects.order_by("pk")]
    assert acts == [
        "story_submitted", "story_assigned", "story_returned", "story_submitted", "story_commented",
        "story_comment_resolved", "story_comment_reopened", "story_approved", "story_published",
    ]  # fmt: skip


@rows(
    ("role", "verb"),
    [(role, verb) for role in ("Author", "Editor", "Publisher") for verb in ("approve", "send_back", "assign")],
)
def test_only_editors_read(story: StoryMaker, now: datetime, role: str, verb: str) -> None:
    article = story(state="in_review")
    user = account("somebody", role)
    needs: dict[str, dict[str, Any]] = {"send_back": {"reason": "Why?"}, "assign": {"assignee": None}}
    act = getattr(review if verb == "assign" else publishing, verb)
    try:
        act(article=article, actor=user, now=now, **needs.get(verb, {}))
    except publishing.NotAllowed:
        assert role == "Author"
    else:
        assert role != "Author"


def test_what_is_refused(story: StoryMaker, ada: User, edda: User, now: datetime) -> None:
    theirs = story(state="in_review")
    with pytest.raises(publishing.NotAllowed, match="not yours"):
        review.comment(article=theirs, text="Mine!", actor=ada, now=now)
    with pytest.raises(publishing.NotReady, match="Write the comment"):
        review.comment(article=theirs, text="  ", actor=edda, now=now)
    with pytest.raises(publishing.NotAllowed, match="ada may not edit"):
        review.assign(article=theirs, assignee=ada, actor=edda, now=now)
    with pytest.raises(publishing.NotReady, match="what is to be changed"):
        publishing.send_back(article=theirs, reason=" ", actor=edda, now=now)
    assert not theirs.comments.exists()


def test_the_person_concerned_gets_a_mail(
    story: StoryMaker, ada: User, edda: User, paul: User, now: datetime, settings: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Assigned, sent back, approved; nobody about what they did themselves."""
    author = Author.objects.create(name="Ada", slug="ada", user=ada)
    article = story(authors=(author,), headline="Rates fall")
    for task in (notices.mail_assigned, notices.mail_sent_back, notices.mail_approved):
        monkeypatch.setattr(task, "delay_on_commit", task.run)
    publishing.submit(article=article, actor=ada, now=now, assignee=edda)
    publishing.send_back(article=article, reason="Who says so?", actor=edda, now=now)
    publishing.submit(article=article, actor=ada, now=now)
    review.assign(article=article, assignee=paul, actor=paul, now=now)
    publishing.approve(article=article, actor=paul, now=now)
    assert [(letter.to, letter.subject) for letter in mail.outbox] == [
        (["edda@blocknews.example"], "Please read: Rates fall"),
        (["ada@blocknews.example"], "Sent back: Rates fall"),
        (["ada@blocknews.example"], "Approved: Rates fall"),
    ]
    assert "Who says so?" in str(mail.outbox[1].body)
    assert f"/admin/articles/article/{article.pk}/change/" in str(mail.outbox[1].body)
    settings.STAFF_NOTICES = False
    notices.mail_approved.run(article.pk, ada.pk)
    assert len(mail.outbox) == 3


def test_who_is_named_in_a_comment_is_asked_by_mail_and_on_the_first_page(
    story: StoryMaker, ada: User, edda: User, paul: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices.mail_mentioned, "delay_on_commit", notices.mail_mentioned.run)
    User.objects.filter(pk=paul.pk).update(first_name="Paul Robert", username="paul@blocknews.example")
    article = story(headline="Rates fall", state="published")
    remark = review.comment(
        article=article, actor=edda, now=now,
        text="@paul, is it 3 % or @PaulRobert? Not desk@ada.example nor @edda nor @nobody. And @ada.",
    )  # fmt: skip
    # Ada may not read a colleague's story, and Edda asks herself nothing.
    assert list(remark.mentioned.all()) == [paul]
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == ([paul.email], "A comment asks you: Rates fall")
    assert "edda: @paul, is it 3 %" in str(letter.body)
    assert waiting(paul)[0].startswith("Rates fall: edda asks you: @paul, is it 3 %")
    assert not waiting(ada)

    review.resolve(remark=remark, actor=paul, now=now)
    assert not waiting(paul)
    notices.mail_mentioned.run(remark.pk, paul.pk)
    assert len(mail.outbox) == 1
