"""What is frozen stays as it is, is proved by its hash, and has a place in the archive without gaps."""

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

import pytest
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.utils import DatabaseError

from articles.models import Article
from digests import clicks, freezing, rendering
from digests.models import Issue, Snapshot
from mailkit import segments
from publication.models import Publication
from subscribers.models import Newsletter
from tests import raw_rows, threads
from tests.cast import Publish
from tests.table import rows

EDITABLE = (Issue.State.DRAFT, Issue.State.SCHEDULED, Issue.State.PREPARING)
# Without a RETURN_DOMAIN a mail that asks to be removed has its code in the subject.
SLOTS = rendering.SLOTS.keys() - {"unsubscribe_code"}
PARTS = ["subject", "preheader", "html", "text", "headers", "compiled", "audience_rule", "sha256"]


def letter(newsletter: Newsletter, subject: str = "A word") -> Issue:
    return Issue.objects.create(newsletter=newsletter, subject=subject, introduction="Hello.")


def frozen_parts(issue: Issue) -> list[object]:
    snapshot = Snapshot.objects.get(issue=issue)
    return [getattr(snapshot, part) for part in PARTS]


def test_the_snapshot_holds_what_is_sent(digest: Issue, now: datetime) -> None:
    snapshot = freezing.freeze(issue=digest, now=now)
    digest.refresh_from_db()
    assert (digest.number, snapshot.subject, snapshot.frozen_at) == (1, "Third", now)
    assert snapshot.audience_rule == {"newsletter": digest.newsletter_id, "cadence": "daily", "rule": "mailable"}
    compiled = segments.CompiledMessage.load(Snapshot.objects.get(issue=digest).compiled)
    # The mail has counted links, and the archive the links themselves.
    mailed = clicks.counted(snapshot.html, issue_id=digest.pk)
    assert (compiled.html, compiled.text) == (mailed, snapshot.text)
    assert [list(pair) for pair in compiled.headers] == snapshot.headers
    assert compiled.slots == SLOTS


def test_the_frozen_issue_knows_its_own_address(digest: Issue, now: datetime) -> None:
    snapshot = freezing.freeze(issue=digest, now=now)
    assert snapshot.html.count("http://127.0.0.1:8000/newsletters/tech-news/1/") == 2
    assert "Read on the web: http://127.0.0.1:8000/newsletters/tech-news/1/" in snapshot.text


def test_asking_again_changes_nothing(digest: Issue, now: datetime) -> None:
    first = freezing.freeze(issue=digest, now=now)
    Article.objects.update(headline="Changed")
    assert freezing.freeze(issue=digest, now=now.replace(hour=12)) == first
    assert Snapshot.objects.count() == 1


def test_no_later_edit_reaches_it(digest: Issue, now: datetime) -> None:
    freezing.freeze(issue=digest, now=now)
    before = frozen_parts(digest)
    Article.objects.update(headline="Changed", standfirst="Changed", state=Article.State.WITHDRAWN)
    Newsletter.objects.update(name="Changed", sender_name="Changed")
    Publication.objects.update(postal_address="Changed", accent_colour="#000000")
    Issue.objects.update(subject="Changed", introduction="Changed")
    assert frozen_parts(digest) == before
    assert freezing.verify(snapshot=Snapshot.objects.get(issue=digest))


@rows("part", ["subject", "preheader", "html", "text", "headers", "compiled", "audience_rule"])
def test_the_hash_covers_every_part(digest: Issue, now: datetime, part: str) -> None:
    snapshot = freezing.freeze(issue=digest, now=now)
    assert freezing.verify(snapshot=snapshot)
    changed = [["Subject", "Forged"]] if part == "headers" else {"cadence": ""}
    setattr(snapshot, part, changed if isinstance(getattr(snapshot, part), (list, dict)) else "forged")
    assert not freezing.verify(snapshot=snapshot)


def test_the_database_refuses_to_change_it(digest: Issue, now: datetime) -> None:
    freezing.freeze(issue=digest, now=now)
    with pytest.raises((InternalError, IntegrityError, DatabaseError)), transaction.atomic():
        Snapshot.objects.filter(issue=digest).update(subject="Forged")


def test_slots_that_an_editor_typed_stay_words(digest: Issue, now: datetime) -> None:
    Article.objects.filter(headline="Third").update(headline="Write %%unsubscribe_url%% or %%anything%%")
    snapshot = freezing.freeze(issue=digest, now=now)
    copy = segments.CompiledMessage.load(snapshot.compiled)
    assert copy.slots == SLOTS
    values = dict.fromkeys(copy.slots, "x") | {"to": "reader@blocknews.example"}
    assert b"unsubscribe_url" in copy.render(values)


class TestRefusals:
    """One sentence each, no number used up, nothing kept."""

    def refused(self, issue: Issue, now: datetime, sentence: str) -> None:
        with pytest.raises(freezing.NotFrozen, match=sentence):
            freezing.freeze(issue=issue, now=now)
        issue.refresh_from_db()
        assert (issue.number, Snapshot.objects.count()) == (None, 0)

    def test_no_story_is_left(self, digest: Issue, now: datetime) -> None:
        digest.items.update(included=False)
        self.refused(digest, now, "No published story is left")

    @rows("address", ["", " \n", "Postal address not set"])
    def test_no_postal_address(self, digest: Issue, now: datetime, address: str) -> None:
        Publication.objects.update(postal_address=address)
        self.refused(digest, now, "postal address")

    def test_what_cannot_be_made_a_mail(self, digest: Issue, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(**_parts: object) -> None:
            raise segments.CannotCompile("The subject has a line end.")

        monkeypatch.setattr(segments, "compile", refuse)
        self.refused(digest, now, "The subject has a line end")

    def test_no_sender(self, digest: Issue, now: datetime) -> None:
        Publication.objects.update(sender_address="")
        self.refused(digest, now, "sender's address")

    def test_a_headline_that_would_break_the_subject(self, digest: Issue, now: datetime) -> None:
        raw_rows.write(Article, headline="Bank\x0bBcc: all@blocknews.example")
        self.refused(digest, now, "Subject: Character 5 is invisible")

    @rows("state", sorted(set(Issue.State) - set(EDITABLE)))
    def test_what_is_under_way_or_over(self, newsletter: Newsletter, now: datetime, state: str) -> None:
        issue = letter(newsletter)
        Issue.objects.filter(pk=issue.pk).update(state=state, number=7, audience_count=0)
        with pytest.raises(freezing.NotFrozen, match=r"^An issue that is .* cannot be frozen\.$"):
            freezing.freeze(issue=issue, now=now)
        assert not Snapshot.objects.exists()


@rows("state", EDITABLE)
def test_what_is_not_under_way_yet_can_be_frozen(digest: Issue, now: datetime, state: str) -> None:
    """Again, too: a story may have been withdrawn since the approval."""
    Issue.objects.filter(pk=digest.pk).update(state=state)
    assert freezing.freeze(issue=digest, now=now).issue_id == digest.pk


def test_the_hash_covers_whose_letter_it_is(digest: Issue, now: datetime) -> None:
    snapshot = freezing.freeze(issue=digest, now=now)
    snapshot.issue_id += 1
    assert not freezing.verify(snapshot=snapshot)


def test_the_hash_does_not_depend_on_the_order_in_which_the_database_keeps_a_part(digest: Issue, now: datetime) -> None:
    snapshot = freezing.freeze(issue=digest, now=now)
    snapshot.compiled = dict(reversed(snapshot.compiled.items()))
    assert freezing.verify(snapshot=snapshot)


class TestNumbers:
    """The archive counts 1, 2, 3 within a newsletter."""

    def test_each_newsletter_counts_for_itself(self, digest: Issue, now: datetime) -> None:
        other = Newsletter.objects.create(name="Product News", slug="product-news", description="x")
        issues = [digest, letter(digest.newsletter), letter(other)]
        for issue in issues:
            freezing.freeze(issue=issue, now=now)
        assert [issue.number for issue in issues] == [1, 2, 1]

    def test_a_refused_issue_leaves_no_gap(self, digest: Issue, now: datetime) -> None:
        broken = letter(digest.newsletter, subject="")
        with pytest.raises(freezing.NotFrozen):
            freezing.freeze(issue=broken, now=now)
        freezing.freeze(issue=digest, now=now)
        assert digest.number == 1

    def test_an_issue_that_was_opened_again_keeps_its_number(self, digest: Issue, now: datetime) -> None:
        freezing.freeze(issue=digest, now=now)
        second = letter(digest.newsletter)
        freezing.freeze(issue=second, now=now)
        Snapshot.objects.filter(issue=digest).delete()
        freezing.freeze(issue=digest, now=now)
        assert (digest.number, second.number) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_frozen_at_the_same_time_they_still_have_a_number_each(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    """Six threads, six connections: numbers 1 to 6, each once."""
    issues = [letter(newsletter, subject=f"Letter {number}") for number in range(6)]
    assert threads.faults(*[functools.partial(freezing.freeze, issue=each, now=now) for each in issues]) == []
    assert list(Issue.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


def while_somebody_freezes(issue: Issue, now: datetime, deed: Callable[[], object]) -> Future[object]:
    """Run something in another connection half a second before the freeze commits."""

    def work() -> object:
        try:
            return deed()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            freezing.freeze(issue=issue, now=now)
            running = pool.submit(work)
            wait([running], timeout=0.5)
        wait([running], timeout=10)
    return running


@pytest.mark.django_db(transaction=True)
def test_two_who_freeze_at_the_same_time_get_the_same_snapshot(newsletter: Newsletter, now: datetime) -> None:
    issue = letter(newsletter)
    other = while_somebody_freezes(issue, now, lambda: freezing.freeze(issue=issue, now=now))
    assert other.result() == Snapshot.objects.get()


@pytest.mark.django_db(transaction=True)
def test_nobody_who_signs_up_waits_for_a_freeze(newsletter: Newsletter, now: datetime) -> None:
    def refer_to_the_newsletter() -> None:
        with connection.cursor() as cursor:
            # As a new subscription does.
            cursor.execute("SELECT FROM subscribers_newsletter FOR KEY SHARE NOWAIT")

    while_somebody_freezes(letter(newsletter), now, refer_to_the_newsletter).result()


def test_a_snapshot_of_each_format_keeps_its_hash_for_ever() -> None:
    parts = {"subject": "Today", "preheader": "", "html": "<p>ü</p>", "text": "ü", "headers": [["To", "%%to%%"]]}
    first = Snapshot(issue_id=7, compiled={"a": 1}, audience_rule={"rule": "mailable"}, format=1, **parts)
    second = Snapshot(issue_id=7, compiled={"a": 1}, audience_rule={"rule": "mailable"}, format=2, **parts)

    assert freezing.fingerprint(snapshot=first) == "4a7143b3001d588f440f887a56ea5473a2a41ec065932007961d4eac650947e4"
    assert freezing.fingerprint(snapshot=second) == "e09b10f95d56126816c2cca44afb067f2ebf060a06b05df58e8efd24394752d6"


def test_one_more_part_leaves_earlier_snapshots_true(
    digest: Issue, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = freezing.freeze(issue=digest, now=now)
    monkeypatch.setitem(freezing.FORMATS, 3, (*freezing.FORMATS[2], "frozen_at"))
    monkeypatch.setattr(freezing, "FORMAT", 3)

    assert snapshot.format == 2
    assert freezing.verify(snapshot=snapshot)
