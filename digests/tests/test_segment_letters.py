"""A letter to a segment goes once to those who are in it and may be mailed, by the conditions of its approval."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.reasons import Reason
from digests import approval, segment_letters, why
from digests.models import Issue
from digests.sending import preparing
from subscribers import segments
from subscribers.models import Newsletter, Segment, Subscription
from subscribers.segments import Condition
from tests.cast import Readers, Staff

WEEKLY = [Condition("cadence", "is", "weekly")]


@pytest.fixture
def segment(newsletter: Newsletter, readers: Readers) -> Segment:
    """Of four readers, two weekly ones, of whom one has paused."""
    for number, row in enumerate(readers(4)):
        Subscription.objects.filter(pk=row.pk).update(
            cadence="weekly" if number < 2 else "daily",
            paused_until=timezone.now() + timedelta(days=9) if number == 1 else None,
        )
    return segments.save(newsletter=newsletter, name="Weekly", lines=WEEKLY, actor=None, now=timezone.now())


def test_it_is_written_at_the_desk_and_goes_to_those_in_it(segment: Segment, staff: Staff) -> None:
    editor = staff("Editor")
    words = {"subject": "Two days more", "text": "We ask you for **two** things."}
    page = f"/admin/readers/segments/{segment.pk}/letter/"
    assert "2 readers" in editor.get(page).content.decode()
    draft = editor.post(page, words)["Location"]
    assert editor.post(page, words)["Location"] == draft, "a second click finds the first one's draft"
    letter = segment.letters.get()
    assert draft == f"/admin/digests/issue/{letter.pk}/change/"
    shown = editor.get(draft).content.decode()
    assert "A letter to the segment “Weekly” of Tech News" in shown
    assert "1 reader would get it now." in " ".join(shown.split())

    approval.approve(issue=letter, actor=None, now=timezone.now())
    assert preparing.prepare(issue_id=letter.pk, now=timezone.now())
    copies = letter.deliveries.values_list("subscriber__address", flat=True)
    assert list(copies) == ["reader-0000@readers.example"]
    rule = letter.snapshot.audience_rule["segment"]
    assert rule == {"id": segment.pk, "name": "Weekly", "conditions": segment.conditions}
    letter.refresh_from_db()
    assert letter in Issue.objects.public()
    assert letter not in Issue.objects.listed(), "the archive does not list it"


def test_who_is_in_it_is_as_it_was_approved(segment: Segment, newsletter: Newsletter) -> None:
    letter = segment_letters.draft(segment=segment, subject="A", text="B.", actor=None, now=timezone.now())
    approval.approve(issue=letter, actor=None, now=timezone.now())
    daily = [Condition("cadence", "is", "daily")]
    segments.save(segment=segment, newsletter=newsletter, name="Weekly", lines=daily, actor=None, now=timezone.now())
    letter = Issue.objects.get(pk=letter.pk)
    addresses = letter.readers(now=timezone.now()).values_list("subscriber__address", flat=True)
    assert list(addresses) == ["reader-0000@readers.example"]
    approval.reopen(issue=letter, reason=Reason(), actor=None, now=timezone.now())
    letter = Issue.objects.get(pk=letter.pk)
    assert letter.readers(now=timezone.now()).count() == 2, "a draft follows the segment"


def test_one_that_was_written_to_stays(segment: Segment) -> None:
    letter = segment_letters.draft(segment=segment, subject="A", text="B.", actor=None, now=timezone.now())
    with pytest.raises(segments.Unusable, match="A letter was written"):
        segments.delete(segment=segment, actor=None, now=timezone.now())
    assert Issue.objects.get(pk=letter.pk).segment == segment


def test_a_reader_is_told_why_not(segment: Segment) -> None:
    letter = segment_letters.draft(segment=segment, subject="A", text="B.", actor=None, now=timezone.now())
    daily = Subscription.objects.filter(cadence="daily").earliest("pk").subscriber
    sentence = why.explain(issue=letter, reader=daily, now=timezone.now()).sentence
    assert "the segment “Weekly”, and the reader was not in it" in sentence
