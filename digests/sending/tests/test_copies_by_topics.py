"""Copies of an issue whose readers chose topics and formats: each gets what was chosen, once, or a reason."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.utils import timezone

from articles.models import Tag
from digests import approval, composing, exports, freezing, readership, rest, stats, why
from digests.delivery_reasons import DeliveryReason
from digests.models import Issue, Snapshot
from digests.sending import attempts, claims, lanes, merge, preparing, sweeper
from digests.sending.tests.conftest import ScriptedTransport, expire_leases, states
from digests.sending.tests.pacing.test_relays import smtp, use
from digests.tests import chosen, multilingual
from digests.tests.chosen import BUSINESS, CLIMATE, CULTURE, SPORT, TRAVEL, choose, copies, shown
from digests.variant_keys import VariantKey
from publication.models import Publication
from subscribers.models import Cadence, Newsletter, Subscription
from tests.cast import Publish, import_readers, make_newsletter
from tests.faults import smtp_server

NAMES = ("all", "arts", "arts-too", "games", "green", "gone", "short", "short-arts", "russian")
EVERYTHING = {"The concert", "The match", "The budget"}
WANTED = {
    "all": EVERYTHING,
    "arts": {"The concert"},
    "arts-too": {"The concert"},
    "games": {"The match", "The budget"},
    "green": {"The budget"},
    "gone": set(),
    "short": EVERYTHING,
    "short-arts": {"The concert"},
    "russian": {"The concert"},
}
KINDS = ("plain", "html")
Readers = dict[str, Subscription]


@pytest.fixture
def readers(publication: Publication) -> Readers:
    """Nine readers by name; “gone” chose a topic on which there is nothing."""
    newsletter = make_newsletter()
    chosen.desks()
    multilingual.speak("ru")
    rows = import_readers(*(f"{name}@readers.example" for name in NAMES), newsletter=newsletter)
    named = {row.subscriber.address.partition("@")[0]: row for row in rows}
    now = timezone.now()
    for name in ("arts", "arts-too", "russian"):
        choose(named[name], CULTURE, now=now)
    choose(named["games"], SPORT, BUSINESS, now=now)
    choose(named["green"], CLIMATE, now=now)
    choose(named["gone"], TRAVEL, now=now)
    choose(named["short"], format="headlines", now=now)
    choose(named["short-arts"], CULTURE, format="headlines", now=now)
    multilingual.read([named["russian"]], "ru")
    return named


@pytest.fixture
def draft(readers: Readers, publish: Publish) -> Issue:
    now = timezone.now()
    for age, (headline, (section, tag)) in enumerate(chosen.STORIES.items(), start=1):
        chosen.print_(publish, headline, section, now - timedelta(minutes=age), tag)
    return composing.compose_now(newsletter=Newsletter.objects.get(), cadence=Cadence.DAILY, now=now)


def plan(draft: Issue) -> Issue:
    now = timezone.now()
    issue = multilingual.approve(draft, now)
    assert preparing.prepare(issue_id=issue.pk, now=now)
    issue.refresh_from_db()
    return issue


def body_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return " ".join(str(part.get_content()).split())


def of_each(issue: Issue) -> dict[str, set[str]]:
    return {name: shown(copy) if copy.state != "suppressed" else set() for name, copy in copies(issue).items()}


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_gets_for_each_reader_what_the_reader_chose(draft: Issue, settings: Any) -> None:
    with smtp_server.running({}) as server:
        use(settings, smtp(server.port))
        issue = plan(draft)
        lanes.run(issue_id=issue.pk, lane=0)
        assert set(server.copies().values()) == {1}
        mails = [email.message_from_bytes(raw, policy=email.policy.default) for raw in server.messages]
    texts = {(mail["To"].addresses[0].username, kind): body_of(mail, kind) for mail in mails for kind in KINDS}
    for kind in KINDS:
        got = {name: {each for each in EVERYTHING if each in texts.get((name, kind), "")} for name in NAMES}
        assert got == WANTED
        chose = {name for name in NAMES if "on the topics that you chose" in texts.get((name, kind), "")}
        assert chose - {"russian"} == {"arts", "arts-too", "games", "green", "short-arts"}
    assert "Read the story" not in texts["short", "html"]
    assert "Отписаться" in texts["russian", "plain"]
    issue.refresh_from_db()
    assert (issue.state, issue.audience_count, states(issue)) == (Issue.State.SENT, 9, {"accepted": 8, "suppressed": 1})


@pytest.mark.django_db
def test_equal_choices_share_a_text_and_one_without_stories_has_none(draft: Issue) -> None:
    read = readership.of(issue=draft, now=timezone.now())
    issue = plan(draft)
    named = {name: copy.variant for name, copy in copies(issue).items()}
    arts = VariantKey.parse(named["arts"] or "").topics
    assert named == {
        "all": None,
        "arts": f".{arts}",
        "arts-too": f".{arts}",
        "games": named["games"],
        "green": named["green"],
        "gone": "-",
        "short": ".h",
        "short-arts": f".{arts}.h",
        "russian": f"ru.{arts}",
    }
    assert len(set(named.values())) == 8
    expected = {str(text.key): text.readers for text in read.texts if text.readers}
    assert expected == Counter(key for key in named.values() if key not in (None, "-"))
    assert (read.own, read.without, read.limited, dict(read.languages)) == (1, 1, 0, {"ru": 1})
    assert set(issue.snapshot.languages) == {"ru"}


@pytest.mark.django_db
def test_who_gets_none_is_counted_with_the_reason_and_why_says_it(draft: Issue, readers: Readers) -> None:
    issue = plan(draft)
    copy = copies(issue)["gone"]
    assert (copy.state, copy.reason) == ("suppressed", DeliveryReason.NO_STORY_CHOSEN)
    assert stats.progress(issue).conserved
    now = timezone.now()
    explained = why.explain(issue=issue, reader=readers["gone"].subscriber, now=now)
    assert (explained.got, "on the topics that the reader had chosen" in explained.sentence) == (False, True)
    assert "The reader chose: Travel" in [fact.what for fact in explained.facts]
    got = why.explain(issue=issue, reader=readers["short-arts"].subscriber, now=now)
    assert "has the stories on the topics" in got.sentence
    assert "headlines only" in got.sentence
    lines = "".join(exports.copies(issue=issue, actor=None, now=now))
    assert f"gone@readers.example,suppressed,{copy.reason_sentence}" in lines
    assert ",en,.h\r\n" in lines


@pytest.mark.django_db
def test_beyond_the_limit_the_others_get_all_stories(draft: Issue, settings: Any) -> None:
    """The texts that most readers get are made; whole texts in a language or format do not count."""
    settings.VARIANTS_PER_ISSUE = 1
    read = readership.of(issue=draft, now=timezone.now())
    issue = plan(draft)
    assert of_each(issue) == WANTED | dict.fromkeys(("games", "green", "short-arts", "russian"), EVERYTHING)
    named = {name: copy.variant for name, copy in copies(issue).items()}
    assert [named[name] for name in ("short-arts", "russian", "games")] == [".h", "ru", None]
    assert (read.limited, issue.snapshot.variants.filter(topics__gt=0).count()) == (4, 1)
    settings.VARIANTS_PER_ISSUE = 0
    assert readership.of(issue=draft, now=timezone.now()).limited == 6


@pytest.mark.django_db
def test_a_choice_between_approval_and_plan_loses_nothing(draft: Issue, readers: Readers) -> None:
    """A choice that the approval knew is served as such, another one with all stories."""
    now = timezone.now()
    issue = multilingual.approve(draft, now)
    choose(readers["all"], CULTURE, now=now)
    choose(readers["arts"], CULTURE, SPORT, now=now)
    choose(readers["gone"], now=now)
    choose(readers["green"], TRAVEL, now=now)
    assert preparing.prepare(issue_id=issue.pk, now=now)
    issue.refresh_from_db()
    changed = {"all": {"The concert"}, "arts": EVERYTHING, "gone": EVERYTHING, "green": set()}
    assert of_each(issue) == WANTED | changed


@pytest.mark.django_db
def test_the_copies_that_were_kept_back_stay_so_and_the_rest_is_as_it_was_planned(
    draft: Issue, readers: Readers, transport: ScriptedTransport
) -> None:
    """After a lane that died and a cancellation: nobody gets another text, or two, or is not listed."""
    issue = plan(draft)
    merger = merge.Merger(Issue.objects.select_related("snapshot").get(pk=issue.pk), needs="payload")
    batch = claims.claim(issue_id=issue.pk, after=issue.copies_after, limit=3)
    assert batch is not None
    attempts.record_attempts(batch=batch, merger=merger, lease_seconds=60)
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()
    approval.cancel(issue=issue, reason="A wrong number.", actor=None, now=timezone.now())
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    for row in readers.values():
        choose(row, SPORT, now=timezone.now())
    rest.send(issue=issue, actor=None, now=timezone.now())
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"uncertain": 3, "accepted": 5, "suppressed": 1}
    assert of_each(issue) == WANTED
    assert stats.progress(issue).conserved


@pytest.mark.django_db
def test_the_hash_covers_who_gets_which_text(draft: Issue) -> None:
    snapshot = plan(draft).snapshot
    assert freezing.verify(snapshot=snapshot)
    for name, value in (("topics", {}), ("without", [])):
        forged = Snapshot.objects.get(pk=snapshot.pk)
        forged.audience_rule[name] = value
        assert not freezing.verify(snapshot=forged)


@pytest.mark.django_db
def test_a_choice_whose_topics_are_gone_is_as_none(draft: Issue) -> None:
    Tag.objects.all().delete()
    assert of_each(plan(draft))["green"] == EVERYTHING


@pytest.mark.django_db
def test_a_reader_who_changes_topics_gets_each_story_once_and_all_that_match_from_then_on(
    readers: Readers, publish: Publish
) -> None:
    """A story is decided for a reader when the audience of its one digest is counted, and never again."""
    newsletter, start = Newsletter.objects.get(), timezone.now()
    wants = [(CULTURE,), (SPORT,), (), (TRAVEL,), (CULTURE, SPORT)]
    got: list[str] = []
    for day, names in enumerate(wants):
        for section in (CULTURE, SPORT):
            chosen.print_(publish, f"{section} of day {day}.", section, start + timedelta(seconds=day))
        choose(readers["all"], *names, now=start)
        draft = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
        copy = copies(plan(draft))["all"]
        got += sorted(shown(copy)) if copy.state != "suppressed" else []
    assert got == [
        "Culture of day 0.",
        "Sport of day 1.",
        "Culture of day 2.",
        "Sport of day 2.",
        "Culture of day 4.",
        "Sport of day 4.",
    ]


@pytest.mark.django_db
def test_a_story_that_is_sent_at_once_goes_to_those_whose_topic_it_is(readers: Readers, publish: Publish) -> None:
    Subscription.objects.update(cadence=Cadence.INSTANT)
    newsletter, now = Newsletter.objects.get(), timezone.now()
    story = chosen.print_(publish, "The concert", CULTURE, now)
    issue = plan(composing.compose_article_issue(newsletter=newsletter, article=story, now=now))
    named = {name: copy.variant for name, copy in copies(issue).items()}
    without = {"games", "green", "gone"}
    short = {"short", "short-arts"}
    assert named == {name: "-" if name in without else ".h" if name in short else None for name in NAMES} | {
        "russian": "ru"
    }
    body = {name: "The body." in copy.frozen.text for name, copy in copies(issue).items()}
    assert (body["all"], body["short"]) == (True, False)


@pytest.mark.django_db
def test_a_letter_goes_to_everybody_in_one_form(readers: Readers, now: datetime) -> None:
    letter = Issue.objects.create(newsletter=Newsletter.objects.get(), subject="A word", introduction="We move.")
    issue = plan(letter)
    assert {name: copy.variant for name, copy in copies(issue).items()} == dict.fromkeys(NAMES) | {"russian": "ru"}


@pytest.mark.django_db
def test_the_publications_format_is_for_those_who_chose_none(draft: Issue, readers: Readers) -> None:
    Publication.objects.update(mail_format="headlines")
    choose(readers["short"], format="full", now=timezone.now())
    before = readership.of(issue=draft, now=timezone.now())
    issue = plan(draft)
    after = readership.expected(issue=issue, now=timezone.now())
    for counted in (before, after):
        numbers = {str(text.key): text.readers for text in counted.texts} | {"": counted.own, "-": counted.without}
        assert {key: number for key, number in numbers.items() if number} == Counter(
            "-" if copy.state == "suppressed" else copy.variant or "" for copy in copies(issue).values()
        )
    named = {name: copy.variant for name, copy in copies(issue).items()}
    assert [named["all"], named["short"]] == [".h", None]
    assert "Read the story" in issue.snapshot.html
