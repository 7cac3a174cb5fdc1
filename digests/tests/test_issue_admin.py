"""Editors at work: arranging, previews, and the actions of an issue."""

import re
from datetime import datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from articles.models import Article
from digests import freezing, stats
from digests.models import Delivery, Issue
from digests.tests.editing import change, items
from publication.models import Publication
from subscribers.models import Newsletter, Subscription
from tests.cast import Publish, Readers, Staff
from tests.table import rows


def do(issue: Issue, name: str) -> str:
    return f"/admin/digests/issue/{issue.pk}/do/{name}/"


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, address
    return response.content.decode()


def test_the_list_shows_state_and_progress(digest: Issue, staff: Staff, now: datetime) -> None:
    freezing.freeze(issue=digest, now=now)
    Issue.objects.filter(pk=digest.pk).update(state=Issue.State.SENDING, planned_at=now, audience_count=2)
    for state in (Delivery.State.ACCEPTED, Delivery.State.PENDING):
        Delivery.objects.create(issue=digest, state=state)
    html = page(staff("Publisher"), "/admin/digests/issue/?q=Second")
    assert "1 of 2" in html
    assert "Sending" in html
    assert len(re.findall(r"/admin/digests/issue/\d+/change/", html)) >= 1


def test_the_page_names_the_state_in_words(digest: Issue, staff: Staff) -> None:
    assert re.search(r">\s*Draft\s*<", page(staff("Editor"), change(digest)))


def test_a_withdrawn_story_is_shown_before_approving(digest: Issue, staff: Staff) -> None:
    Article.objects.filter(headline="Second").update(state=Article.State.WITHDRAWN)
    response = staff("Publisher").post(do(digest, "approve"), {})
    assert "“Second” is not public any more" in response.content.decode()
    digest.refresh_from_db()
    assert digest.state == Issue.State.DRAFT


def test_a_letter_is_written_in_the_admin(newsletter: Newsletter, staff: Staff) -> None:
    words = {"subject": "Hello", "introduction": "A word.", "preheader": "", "newsletter": str(newsletter.pk)}
    no_stories = {"items-TOTAL_FORMS": "0", "items-INITIAL_FORMS": "0"}
    data = words | no_stories | {"scheduled_for_0": "", "scheduled_for_1": ""}
    assert staff("Editor").post("/admin/digests/issue/add/", data).status_code == 302
    letter = Issue.objects.get()
    assert (letter.kind, letter.state, letter.period_key) == (Issue.Kind.LETTER, Issue.State.DRAFT, "")


@rows("day", ["0001-01-01", "2020-05-06", "9999-12-31"])
def test_an_hour_that_makes_no_sense_is_sent_back(digest: Issue, staff: Staff, day: str) -> None:
    hour = {"scheduled_for_0": day, "scheduled_for_1": "07:00"}
    written = staff("Editor").post(change(digest), items(digest, **hour)).content.decode()
    approved = staff("Publisher").post(do(digest, "approve"), {"when_0": day, "when_1": "07:00"}).content.decode()
    for page_again in (written, approved):
        assert "Choose an hour that is still to come" in page_again or "This date is" in page_again
    digest.refresh_from_db()
    assert (digest.state, digest.scheduled_for) == (Issue.State.DRAFT, None)


def test_a_letter_is_asked_for_no_stories(newsletter: Newsletter, digest: Issue, staff: Staff) -> None:
    editor = staff("Editor")
    new, arranged = page(editor, "/admin/digests/issue/add/"), page(editor, change(digest))
    assert ("items-TOTAL_FORMS" in new, "items-TOTAL_FORMS" in arranged) == (False, True)
    assert ("headline of the first story" in new, "headline of the first story" in arranged) == (False, True)
    assert "UTC. When it leaves once approved." in new
    assert "UTC. When it leaves once approved." in arranged


def test_a_digest_is_composed_by_hand(newsletter: Newsletter, publish: Publish, staff: Staff) -> None:
    publish("One", timezone.now())
    editor = staff("Editor")
    assert "Tech News, daily" in page(editor, "/admin/digests/issue/compose/")
    offer = newsletter.offers.get(cadence="daily")
    response = editor.post("/admin/digests/issue/compose/", {"offer": str(offer.pk)})
    issue = Issue.objects.get()
    assert (response.status_code, response["Location"]) == (302, change(issue))
    assert [str(item) for item in issue.items.all()] == ["One"]
    assert not Issue.objects.exclude(pk=issue.pk).exists()


def test_a_second_click_finds_nothing_new_and_leaves_nothing(
    newsletter: Newsletter, publish: Publish, staff: Staff
) -> None:
    offer, editor = newsletter.offers.get(cadence="daily"), staff("Editor")
    response = editor.post("/admin/digests/issue/compose/", {"offer": str(offer.pk)})
    assert "Nothing was published since the previous digest." in response.content.decode()
    assert not Issue.objects.exists()
    publish("One", timezone.now())
    assert editor.post("/admin/digests/issue/compose/", {"offer": str(offer.pk)}).status_code == 302
    response = editor.post("/admin/digests/issue/compose/", {"offer": str(offer.pk)})
    assert "since the previous digest, which is still a draft." in response.content.decode()
    assert Issue.objects.count() == 1


class TestLooking:
    """The preview is the mail, in a frame where it can do nothing."""

    def test_html_and_text_are_those_of_the_mail(self, digest: Issue, staff: Staff) -> None:
        author = staff("Author")
        preview = page(author, f"/admin/digests/issue/{digest.pk}/preview/")
        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in preview
        assert "About second." in preview
        html = author.get(f"/admin/digests/issue/{digest.pk}/preview/html/")
        assert "About second." in html.content.decode()
        assert "%%" not in html.content.decode()
        assert html["X-Frame-Options"] == "SAMEORIGIN"
        assert "script-src" not in html["Content-Security-Policy"]
        assert "default-src 'none'" in html["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in html["Content-Security-Policy"]

    def test_after_freezing_it_is_the_snapshot(self, digest: Issue, staff: Staff, now: datetime) -> None:
        freezing.freeze(issue=digest, now=now)
        Article.objects.update(headline="Changed")
        assert "Changed" not in page(staff("Author"), f"/admin/digests/issue/{digest.pk}/preview/")

    def test_what_cannot_be_shown_says_why(self, digest: Issue, staff: Staff) -> None:
        digest.items.update(included=False)
        author = staff("Author")
        assert "No published story is left" in page(author, f"/admin/digests/issue/{digest.pk}/preview/")
        page(author, f"/admin/digests/issue/{digest.pk}/preview/html/", status=404)


class TestActions:
    """GET asks and changes nothing; POST calls the verb; rights decide who may."""

    def test_approving_freezes_and_schedules(self, digest: Issue, staff: Staff) -> None:
        publisher = staff("Publisher")
        assert "<strong>0</strong> readers" in page(publisher, do(digest, "approve"))
        digest.refresh_from_db()
        assert digest.state == Issue.State.DRAFT
        Publication.objects.update(time_zone="Europe/Berlin")
        response = publisher.post(do(digest, "approve"), {"when_0": "2030-01-01", "when_1": "07:30"})
        assert response.status_code == 302
        digest.refresh_from_db()
        assert (digest.state, digest.number) == (Issue.State.SCHEDULED, 1)
        assert str(digest.approved_by) == "publisher"
        assert digest.scheduled_for is not None
        assert digest.scheduled_for.isoformat() == "2030-01-01T06:30:00+00:00", "the hour is meant in Berlin"

    def test_more_than_twice_the_last_audience_must_be_typed(
        self, digest: Issue, staff: Staff, readers: Readers, now: datetime
    ) -> None:
        before = Issue.objects.create(newsletter=digest.newsletter, kind="digest", cadence="daily", period_key="x")
        Issue.objects.filter(pk=before.pk).update(audience_count=2, planned_at=now)
        readers(5)
        publisher = staff("Publisher")
        assert "Type the number of readers" in page(publisher, do(digest, "approve"))
        for typed in ("", "4", "50"):
            response = publisher.post(do(digest, "approve"), {"when_0": "", "when_1": "", "audience": typed})
            assert response.status_code == 200, typed
        digest.refresh_from_db()
        assert digest.state == Issue.State.DRAFT
        response = publisher.post(do(digest, "approve"), {"when_0": "2030-01-01", "when_1": "07:30", "audience": "5"})
        assert response.status_code == 302

    def test_twice_the_last_audience_need_not_be_typed(
        self, digest: Issue, staff: Staff, readers: Readers, now: datetime
    ) -> None:
        before = Issue.objects.create(newsletter=digest.newsletter, kind="digest", cadence="daily", period_key="x")
        Issue.objects.filter(pk=before.pk).update(audience_count=2, planned_at=now)
        readers(4)
        assert "Type the number" not in page(staff("Publisher"), do(digest, "approve"))

    def test_readers_who_are_left_out_are_named(self, digest: Issue, staff: Staff, readers: Readers) -> None:
        readers(3)
        first, second, _ = Subscription.objects.order_by("pk")
        Subscription.objects.filter(pk=first.pk).update(consent_event=second.consent_event)
        publisher = staff("Publisher")
        for address in (do(digest, "approve"), change(digest)):
            assert "1 confirmed reader is not mailed: 1 because no consent" in page(publisher, address), address

    def test_what_cannot_be_frozen_says_why(self, digest: Issue, staff: Staff) -> None:
        digest.items.update(included=False)
        response = staff("Publisher").post(do(digest, "approve"), {"when_0": "", "when_1": ""})
        assert "No published story is left" in response.content.decode()

    @pytest.mark.parametrize(
        ("before", "name", "data", "after"),
        [
            ("scheduled", "reopen", {}, "draft"),
            ("sending", "pause", {"reason": "A wrong number."}, "paused"),
            ("paused", "resume", {}, "sending"),
            ("paused", "cancel", {"reason": "A wrong number."}, "cancelled"),
            ("draft", "cancel", {"reason": "Not today."}, "cancelled"),
        ],
    )
    def test_every_action_moves_the_issue(
        self, digest: Issue, staff: Staff, now: datetime, before: str, name: str, data: dict[str, str], after: str
    ) -> None:
        freezing.freeze(issue=digest, now=now)
        Issue.objects.filter(pk=digest.pk).update(state=before, audience_count=0, planned_at=now)
        publisher = staff("Publisher")
        assert f"/do/{name}/" in page(publisher, change(digest))
        page(publisher, do(digest, name))
        assert Issue.objects.get().state == before
        assert publisher.post(do(digest, name), data).status_code == 302
        issue = Issue.objects.get()
        assert issue.state == after
        assert issue.reason_sentence == data.get("reason", issue.reason_sentence)
        assert LogEntry.objects.filter(object_id=digest.pk).count() == 1, "the row's history says who did it"

    def test_a_verb_that_no_longer_fits_says_so(self, digest: Issue, staff: Staff) -> None:
        response = staff("Publisher").post(do(digest, "pause"), {"reason": "x"})
        assert "can be paused" in response.content.decode()

    @pytest.mark.parametrize("name", ["approve", "reopen", "pause", "resume", "cancel", "accept", "resend"])
    def test_an_editor_without_the_right_to_send_is_refused(self, digest: Issue, staff: Staff, name: str) -> None:
        editor = staff("Editor")
        assert f"/do/{name}/" not in page(editor, change(digest))
        assert editor.get(do(digest, name)).status_code == 403
        assert editor.post(do(digest, name), {"reason": "x"}).status_code == 403
        digest.refresh_from_db()
        assert digest.state == Issue.State.DRAFT

    def test_strangers_are_asked_to_log_in(self, digest: Issue, client: Client) -> None:
        for address in (do(digest, "approve"), f"/admin/digests/issue/{digest.pk}/preview/html/"):
            assert client.get(address).status_code == 302

    def test_a_proof_goes_to_each_address_alone(
        self, digest: Issue, staff: Staff, settings: Settings, mailoutbox: list[EmailMultiAlternatives]
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        editor = staff("Editor")
        assert 'value="editor@blocknews.example"' in page(editor, do(digest, "proof"))
        editor.post(do(digest, "proof"), {"to": "a@blocknews.example, b@blocknews.example"})
        assert [mail.to for mail in mailoutbox] == [["a@blocknews.example"], ["b@blocknews.example"]]

    def test_uncertain_copies_are_offered_only_when_there_are_some(
        self, digest: Issue, staff: Staff, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stats, "EXPENSIVE_SECONDS", 60.0)
        freezing.freeze(issue=digest, now=now)
        Issue.objects.filter(pk=digest.pk).update(state="sent_with_exceptions", audience_count=1, planned_at=now)
        publisher = staff("Publisher")
        assert "/do/resend/" not in page(publisher, change(digest))
        copy = Delivery.objects.create(issue=digest, state=Delivery.State.UNCERTAIN)
        assert "/do/resend/" in page(publisher, change(digest))
        publisher.post(do(digest, "accept"))
        copy.refresh_from_db()
        assert copy.state == Delivery.State.ACCEPTED


class TestCopies:
    """Copies are looked at; only uncertain ones can be decided."""

    def decide(self, client: Client, action: str, *copies: Delivery) -> None:
        chosen = [str(copy.pk) for copy in copies]
        response = client.post("/admin/digests/delivery/", {"action": action, "_selected_action": chosen}, follow=True)
        assert response.status_code == 200

    def test_the_chosen_uncertain_copies_are_decided_and_no_others(
        self, digest: Issue, staff: Staff, now: datetime
    ) -> None:
        freezing.freeze(issue=digest, now=now)
        Issue.objects.filter(pk=digest.pk).update(state="sent_with_exceptions", audience_count=3, planned_at=now)
        first, second = (Delivery.objects.create(issue=digest, state=Delivery.State.UNCERTAIN) for _ in range(2))
        rejected = Delivery.objects.create(issue=digest, state=Delivery.State.REJECTED)
        publisher = staff("Publisher")
        self.decide(publisher, "call_accepted", first, rejected)
        self.decide(publisher, "send_again", second, rejected)
        states = list(Delivery.objects.order_by("pk").values_list("state", flat=True))
        assert states == ["accepted", "pending", "rejected"]

    def test_nobody_adds_changes_or_deletes_them(self, digest: Issue, staff: Staff, now: datetime) -> None:
        snapshot = freezing.freeze(issue=digest, now=now)
        copy = Delivery.objects.create(issue=digest)
        publisher = staff("Publisher")
        for address in (f"delivery/{copy.pk}", f"snapshot/{snapshot.pk}"):
            page(publisher, f"/admin/digests/{address}/change/")
            assert publisher.post(f"/admin/digests/{address}/change/", {"state": "accepted"}).status_code == 403
            assert publisher.post(f"/admin/digests/{address}/delete/", {"post": "yes"}).status_code == 403
        for model in ("delivery", "deliveryevent", "snapshot"):
            page(publisher, f"/admin/digests/{model}/?q=x")
            assert publisher.get(f"/admin/digests/{model}/add/").status_code == 403


def test_a_draft_has_no_page_on_the_site_yet(digest: Issue, staff: Staff, now: datetime) -> None:
    editor = staff("Editor")
    assert "View on site" not in page(editor, change(digest))
    freezing.freeze(issue=digest, now=now)
    Issue.objects.filter(pk=digest.pk).update(state=Issue.State.SENT, audience_count=0, planned_at=now)
    assert "/newsletters/tech-news/1/" in page(editor, change(digest))


def test_a_digest_without_a_subject_is_called_by_its_day(digest: Issue, staff: Staff) -> None:
    assert "Tech News, daily, for Tuesday 6 May" in page(staff("Author"), "/admin/digests/issue/")


def test_saving_a_letter_reports_what_readers_will_not_see(newsletter: Newsletter, staff: Staff) -> None:
    words = {"subject": "Hello", "preheader": "", "newsletter": str(newsletter.pk)}
    data = words | {"items-TOTAL_FORMS": "0", "items-INITIAL_FORMS": "0", "scheduled_for_0": "", "scheduled_for_1": ""}
    editor = staff("Editor")
    path = "/admin/digests/issue/add/"
    saved = editor.post(path, data | {"introduction": "A word.\n\n<iframe src='x'></iframe>"}, follow=True)
    assert "Line 3: An embedded page (iframe) cannot be shown and is left out." in saved.content.decode()
    refused = editor.post(path, data | {"introduction": "- a\n" * 3_001})
    assert "The text has more than 3,000 list items, which is the limit." in refused.content.decode()
    assert Issue.objects.count() == 1
