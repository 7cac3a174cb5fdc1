"""A correction goes to exactly those who got the issue, and may still be mailed."""

from datetime import datetime

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from digests import approval, corrections
from digests.models import Delivery, Issue
from digests.sending import preparing
from digests.tests import copies
from staff.models import AuditEvent
from subscribers import consent, signup
from subscribers.models import Newsletter, Subscription
from tests.cast import Readers, Staff

State = Delivery.State


@pytest.fixture
def sent(newsletter: Newsletter, readers: Readers) -> Issue:
    """One copy in each state in which a copy may end, and a reader who came later."""
    ends = [State.ACCEPTED, State.ACCEPTED, State.UNCERTAIN, State.REJECTED, State.SUPPRESSED, State.CANCELLED]
    issue = copies.issue(newsletter, audience=len(ends))
    Issue.objects.filter(pk=issue.pk).update(planned_at=copies.LEFT_AT)
    for subscription, state in zip(readers(len(ends) + 1), ends, strict=False):
        copies.copy(issue, subscription.subscriber, state)
    copies.close(issue, state=Issue.State.CANCELLED)
    issue.refresh_from_db()
    return issue


def test_it_is_written_in_the_admin_and_goes_to_those_who_got_it(
    sent: Issue, staff: Staff, newsletter: Newsletter, now: datetime
) -> None:
    publisher = staff("Publisher")
    page = f"/admin/digests/issue/{sent.pk}/correct/"
    assert page in publisher.get(f"/admin/digests/issue/{sent.pk}/change/").content.decode()
    form = BeautifulSoup(publisher.get(page).content, "html5lib")
    subject = form.find("input", {"name": "subject"})
    assert subject is not None
    assert subject["value"] == "Correction: What happened"
    words = {"subject": subject["value"], "text": "It is 3 %, not 30 %.", "wrong": "The rate."}
    response = publisher.post(page, words)
    # A second click finds the first one's draft.
    assert publisher.post(page, words)["Location"] == response["Location"]
    # Other words are no second click: they stay in the form, and the draft is as it was.
    other = publisher.post(page, words | {"text": "It is 4 %."})
    assert "is a draft already" in other.content.decode()
    assert "It is 4 %." in other.content.decode()
    letter = sent.corrections.get()
    assert letter.introduction == words["text"]
    assert response["Location"] == f"/admin/digests/issue/{letter.pk}/change/"
    event = AuditEvent.objects.get(action="issue_corrected")
    assert (event.object_id, event.detail) == (str(sent.pk), {"letter": letter.pk, "wrong": "The rate."})

    got = [State.ACCEPTED, State.ACCEPTED, State.UNCERTAIN]
    first = sent.deliveries.filter(state=State.ACCEPTED).earliest("pk").subscriber_id
    # Another cadence does not matter: they got it. An unsubscribe does.
    Subscription.objects.filter(subscriber=first).update(cadence="weekly")
    left = sent.deliveries.get(state=State.UNCERTAIN).subscriber_id
    approval.approve(issue=letter, actor=None, now=timezone.now())
    signup.unsubscribe(
        subscription=Subscription.objects.get(subscriber=left),
        evidence=consent.Evidence(),
        reason="one_click",
        now=timezone.now(),
    )
    assert preparing.prepare(issue_id=letter.pk, now=timezone.now())

    letter.refresh_from_db()
    whole = set(sent.deliveries.filter(state__in=got).values_list("subscriber_id", flat=True))
    assert set(letter.deliveries.values_list("subscriber_id", flat=True)) == whole - {left}
    assert letter.audience_count == 2
    assert letter.snapshot.audience_rule == {
        "newsletter": newsletter.pk, "cadence": "", "rule": "mailable", "corrects": sent.pk,
    }  # fmt: skip
    assert "Corrected by" in publisher.get(f"/admin/digests/issue/{sent.pk}/change/").content.decode()


def test_what_nobody_got_is_not_corrected(sent: Issue, staff: Staff) -> None:
    assert staff("Author").get(f"/admin/digests/issue/{sent.pk}/correct/").status_code == 403
    Issue.objects.filter(pk=sent.pk).update(finished_at=None, state=Issue.State.SENDING)
    sent.refresh_from_db()
    with pytest.raises(corrections.NotAllowed, match="Only an issue that is over"):
        corrections.draft(issue=sent, subject="S", text="T", wrong="W", actor=None, now=timezone.now())
