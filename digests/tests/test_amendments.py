"""A story that was delivered is corrected or withdrawn: the next issue of those who got it says so, once."""

from __future__ import annotations

from datetime import datetime

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from articles import publishing
from articles.models import Article
from digests import approval, composing, corrections, freezing
from digests.models import Delivery, Issue, Variant
from digests.sending import closing, preparing
from digests.tests import chosen, multilingual
from digests.tests.chosen import CULTURE, SPORT, choose, copies
from publication.models import Publication
from subscribers.models import Cadence, Newsletter, Subscription
from tests.cast import Publish, import_readers, make_newsletter

pytestmark = pytest.mark.django_db

WRONG, REASON = "The concert was on Friday, not on Sunday.", "It named a child."
NAMES = ("all", "twin", "arts", "games", "refused", "short", "russian")
Readers = dict[str, Subscription]


def subscribed(newsletter: Newsletter, *names: str, cadence: str = Cadence.DAILY) -> Readers:
    rows = import_readers(*(f"{one}@readers.example" for one in names), newsletter=newsletter, cadence=cadence)
    return {row.subscriber.address.partition("@")[0]: row for row in rows}


@pytest.fixture
def readers(publication: Publication) -> Readers:
    newsletter = make_newsletter()
    chosen.desks()
    multilingual.speak("ru")
    rows, now = subscribed(newsletter, *NAMES), timezone.now()
    choose(rows["arts"], CULTURE, now=now)
    choose(rows["games"], SPORT, now=now)
    choose(rows["short"], format="headlines", now=now)
    multilingual.read([rows["russian"]], "ru")
    return rows


def send(newsletter: Newsletter, cadence: str = Cadence.DAILY) -> Issue:
    """Compose, approve and plan; every copy is accepted."""
    now = timezone.now()
    draft = composing.compose_now(newsletter=newsletter, cadence=cadence, now=now)
    return deliver(draft, now)


def deliver(draft: Issue, now: datetime) -> Issue:
    approval.approve(issue=draft, actor=None, now=now)
    assert preparing.prepare(issue_id=draft.pk, now=now)
    issue = Issue.objects.select_related("newsletter", "snapshot").get(pk=draft.pk)
    issue.deliveries.filter(state="pending").update(state="accepted", settled_at=now)
    return issue


def heard(issue: Issue) -> dict[str, set[str]]:
    """What each reader's copy says of the concert and the match, in both of its parts."""
    words_of = {}
    for name, copy in copies(issue).items():
        text = " ".join(copy.frozen.text.split())
        page = " ".join(BeautifulSoup(copy.frozen.html, "html5lib").get_text().split())
        words_of[name] = {words for words in (WRONG, REASON) if words in text}
        assert words_of[name] == {words for words in (WRONG, REASON) if words in page}
    return {name: words for name, words in words_of.items() if words}


@pytest.fixture
def first(readers: Readers, publish: Publish) -> Issue:
    """Everybody got the concert and the match, as far as their topics go; one mailbox refused it."""
    newsletter, now = readers["all"].newsletter, timezone.now()
    chosen.print_(publish, "The concert", CULTURE, now)
    chosen.print_(publish, "The match", SPORT, now)
    issue = send(newsletter)
    Delivery.objects.filter(subscriber=readers["refused"].subscriber_id).update(state="rejected")
    return issue


def amend(publish: Publish) -> None:
    """The concert is corrected, the match withdrawn, and there is news on each topic."""
    now = timezone.now()
    publishing.correct(article=Article.objects.get(headline="The concert"), text=WRONG, actor=None, now=now)
    publishing.withdraw(article=Article.objects.get(headline="The match"), reason=REASON, actor=None, now=now)
    news(publish)


def news(publish: Publish) -> None:
    for topic in (CULTURE, SPORT):
        chosen.print_(publish, f"More of it, {Article.objects.count()}", topic, timezone.now())


def test_exactly_those_who_got_the_story_hear_of_it_once_and_equal_sets_share_a_text(
    readers: Readers, first: Issue, publish: Publish
) -> None:
    amend(publish)
    subscribed(first.newsletter, "newcomer")
    both = {WRONG, REASON}
    second = send(first.newsletter)
    assert heard(second) == {
        "all": both, "twin": both, "arts": {WRONG}, "games": {REASON}, "short": both, "russian": both
    }  # fmt: skip
    assert freezing.verify(snapshot=second.snapshot)
    keys = {row.variant for row in copies(second).values() if row.variant}
    assert set(Variant.objects.filter(amended=1, snapshot=second.snapshot).values_list("language", "reading")) == {
        ("", ""), ("", "headlines"), ("ru", "")
    }  # fmt: skip
    assert {"ru.a1", ".h.a1", ".a1"} <= keys
    # The next issue is for the one whose copy did not leave; nobody hears it again.
    second.deliveries.filter(subscriber=readers["twin"].subscriber_id).update(state="suppressed")
    news(publish)
    assert heard(send(first.newsletter)) == {"twin": both}


def test_who_has_no_story_on_the_topics_hears_it_from_the_next_issue_with_one(
    readers: Readers, first: Issue, publish: Publish
) -> None:
    publishing.correct(article=Article.objects.get(headline="The match"), text=WRONG, actor=None, now=timezone.now())
    chosen.print_(publish, "An exhibition", CULTURE, timezone.now())
    second = send(first.newsletter)
    assert (copies(second)["games"].state, copies(second)["games"].reason) == ("suppressed", "no_story_chosen")
    news(publish)
    assert heard(send(first.newsletter)) == {"games": {WRONG}}


def test_the_line_names_a_corrected_story_and_never_a_withdrawn_one(
    readers: Readers, first: Issue, publish: Publish
) -> None:
    amend(publish)
    second = send(first.newsletter)
    own, russian = copies(second)["all"].frozen, copies(second)["russian"].frozen
    for part in (own.text, own.html):
        assert "The concert" in part
        assert "The match" not in part
        assert "/corrections/" in part
    assert "A story that we sent you was withdrawn: It named a child." in own.text
    assert "Исправления" in russian.text
    assert f'<span lang="en" dir="ltr">{WRONG}</span>' in russian.html
    assert WRONG not in second.snapshot.text + second.snapshot.html, "the archive has the issue itself"


def test_who_got_the_correcting_letter_hears_no_more_of_it(readers: Readers, first: Issue, publish: Publish) -> None:
    amend(publish)
    assert closing.close(issue_id=first.pk, now=timezone.now()) == Issue.State.SENT
    letter = corrections.draft(
        issue=first, subject="Correction", text="Sorry.", wrong="It.", actor=None, now=timezone.now()
    )
    deliver(letter, timezone.now())
    assert heard(send(first.newsletter)) == {}


def test_two_newsletters_that_took_the_story_say_it_once(readers: Readers, first: Issue, publish: Publish) -> None:
    other = make_newsletter("Evening")
    subscribed(other, "all", "solo")
    send(other)
    amend(publish)
    assert heard(send(other)).keys() == {"all", "solo"}
    assert "all" not in heard(send(first.newsletter))


def test_what_came_between_approval_and_count_waits_for_the_next_issue(
    readers: Readers, first: Issue, publish: Publish
) -> None:
    news(publish)
    now = timezone.now()
    draft = composing.compose_now(newsletter=first.newsletter, cadence=Cadence.DAILY, now=now)
    approval.approve(issue=draft, actor=None, now=now)
    publishing.correct(article=Article.objects.get(headline="The concert"), text=WRONG, actor=None, now=now)
    assert preparing.prepare(issue_id=draft.pk, now=now)
    draft.deliveries.update(state="accepted")
    assert heard(Issue.objects.select_related("snapshot").get(pk=draft.pk)) == {}
    news(publish)
    assert heard(send(first.newsletter)).keys() == {"all", "twin", "arts", "short", "russian"}


def test_who_got_it_as_it_was_corrected_hears_nothing(readers: Readers, first: Issue, publish: Publish) -> None:
    other = make_newsletter("Evening")
    subscribed(other, "late")
    amend(publish)
    send(other)
    news(publish)
    assert heard(send(other)) == {}
