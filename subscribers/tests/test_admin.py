"""The admin: verbs behind the actions, proof that can only be read."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from publication import groups
from publication.models import Publication
from subscribers import consent, legal, suppression
from subscribers.models import ConsentEvent, LegalVersion, Subscriber, Subscription, Suppression
from tests.cast import BOB, RITA
from tests.table import rows

pytestmark = pytest.mark.django_db

MODELS = (
    "newsletter", "legaldocument", "legalversion", "subscriber", "subscription", "consentevent", "consentorigin",
    "suppression", "letter",
)  # fmt: skip


def member(group: str) -> Client:
    user = User.objects.create_user(f"{group}@house", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def publisher(db: None) -> Client:
    """Somebody of the group Publisher."""
    return member(groups.PUBLISHER)


def act(client: Client, model: str, action: str, *rows: object) -> object:
    keys = [row.pk for row in rows]  # type: ignore[attr-defined]  # any model
    data = {"action": action, "_selected_action": keys, "post": "yes"}
    return client.post(f"/admin/subscribers/{model}/", data, follow=True)


@rows("model", MODELS)
def test_every_list_and_row_opens_and_is_searchable(publisher: Client, rita: Subscription, model: str) -> None:
    suppression.suppress(address_key=BOB, reason=Suppression.Reason.MANUAL, actor=None, now=timezone.now())
    page = publisher.get(f"/admin/subscribers/{model}/?q=a")
    assert page.status_code == 200
    row = page.context["cl"].model.objects.first()
    assert publisher.get(f"/admin/subscribers/{model}/{row.pk}/change/").status_code == 200


@rows("model", ["subscriber", "subscription", "consentevent", "consentorigin", "letter"])
def test_rows_of_the_verbs_cannot_be_edited(publisher: Client, rita: Subscription, model: str) -> None:
    row = publisher.get(f"/admin/subscribers/{model}/").context["cl"].model.objects.first()

    assert publisher.get(f"/admin/subscribers/{model}/add/").status_code == 403
    assert publisher.post(f"/admin/subscribers/{model}/{row.pk}/change/", {}).status_code == 403


def test_the_record_is_filtered_by_newsletter_and_source_without_reading_all_of_it(
    publisher: Client, rita: Subscription
) -> None:
    slug, record = rita.newsletter.slug, "/admin/subscribers/consentevent/"
    with CaptureQueriesContext(connection) as asked:
        listed = publisher.get(f"{record}?newsletter={slug}&source=form").context["cl"].result_list
    assert {(event.newsletter_slug, event.source) for event in listed} == {(slug, "form")}
    assert not [query for query in asked if "DISTINCT" in query["sql"]], "each value is looked for in all rows"


def test_a_reader_is_found_by_address(publisher: Client, rita: Subscription) -> None:
    subscribers = publisher.get("/admin/subscribers/subscriber/", {"q": "rita@"}).context["cl"].result_list

    assert [person.address for person in subscribers] == [RITA]


def test_deleting_a_reader_erases_them(publisher: Client, rita: Subscription) -> None:
    act(publisher, "subscriber", "delete_selected", rita.subscriber)

    assert not Subscriber.objects.exists()
    assert ConsentEvent.objects.latest("pk").kind == "erased"
    assert Suppression.objects.get().reason == "erased"
    assert consent.verify() is None


def test_unsubscribing_by_hand_is_the_same_verb(publisher: Client, rita: Subscription) -> None:
    act(publisher, "subscription", "unsubscribe", rita)
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"
    assert ConsentEvent.objects.latest("pk").source == "admin"


def test_an_address_is_blocked_by_typing_it_and_lifted(publisher: Client) -> None:
    response = publisher.post(
        "/admin/subscribers/suppression/add/", {"address": " Bob@Elsewhere.NET", "reason": "manual", "note": "asked"}
    )
    assert response.status_code == 302
    assert suppression.is_suppressed(BOB)

    act(publisher, "suppression", "lift", Suppression.objects.get())
    assert not suppression.is_suppressed(BOB)


def test_blocking_what_is_no_address_gets_a_sentence(publisher: Client) -> None:
    response = publisher.post("/admin/subscribers/suppression/add/", {"address": "bob", "reason": "manual"})

    assert b"one @ in it" in response.content
    assert not Suppression.objects.exists()


def test_readers_are_blocked_from_their_list(publisher: Client, rita: Subscription) -> None:
    act(publisher, "subscriber", "block", rita.subscriber)

    assert suppression.is_suppressed(RITA)


def test_a_version_is_drafted_published_and_then_kept(publisher: Client, texts: list[LegalVersion]) -> None:
    new = publisher.get(f"/admin/subscribers/legalversion/add/?document={texts[0].document_id}").content.decode()
    assert "# Terms of use" in new, "it starts from the present text"
    publisher.post(
        "/admin/subscribers/legalversion/add/",
        {"document": texts[0].document_id, "body_markdown": "# Terms of use\n\nBe kinder.", "change_note": "kinder"},
    )
    draft = LegalVersion.objects.get(published_at=None)
    assert draft.number == 2
    ask = f"/admin/subscribers/legalversion/{draft.pk}/publish/"
    page = publisher.get(ask).content.decode()
    assert '<del class="desk-word">kind.</del><ins class="desk-word">kinder.</ins>' in page
    assert LegalVersion.objects.filter(published_at=None).exists(), "a GET only asks"
    publisher.post(ask)

    draft.refresh_from_db()
    assert draft in legal.current_versions()
    assert publisher.post(f"/admin/subscribers/legalversion/{draft.pk}/change/", {}).status_code == 403
    assert publisher.post(f"/admin/subscribers/legalversion/{draft.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_text_in_another_language_starts_from_the_one_that_its_readers_see(
    publisher: Client, texts: list[LegalVersion]
) -> None:
    Publication.objects.update(further_languages=["ru"])
    page = publisher.get(f"/admin/subscribers/legalversion/{texts[0].pk}/change/").content.decode()
    path = f"/admin/subscribers/legalversion/add/?document={texts[0].document_id}&language=ru"
    assert path.replace("&", "&amp;") in page
    form = publisher.get(path).content.decode()
    assert "# Terms of use" in form
    assert re.search(r'<option value="ru" selected', form)
    words = {"document": texts[0].document_id, "language": "ru", "body_markdown": "Будьте добры.", "change_note": ""}
    publisher.post("/admin/subscribers/legalversion/add/", words)
    draft = LegalVersion.objects.get(published_at=None)
    assert (draft.language, draft.number) == ("ru", 2)
    assert "The first version" in publisher.get(f"/admin/subscribers/legalversion/{draft.pk}/publish/").content.decode()


def test_what_readers_will_not_see_of_a_version_is_told_at_saving(publisher: Client, texts: list[LegalVersion]) -> None:
    path = "/admin/subscribers/legalversion/add/"
    words = {"document": texts[0].document_id, "change_note": "kinder"}
    saved = publisher.post(path, words | {"body_markdown": "Be kind.\n\n![x](/media/x.jpg)"}, follow=True)
    assert b"Line 3: Pictures cannot be shown in this text, and this one is left out." in saved.content
    assert LegalVersion.objects.filter(published_at=None).count() == 1
    refused = publisher.post(path, words | {"body_markdown": "- a\n" * 3_001})
    assert b"The text has more than 3,000 list items" in refused.content
    assert LegalVersion.objects.filter(published_at=None).count() == 1


@pytest.mark.parametrize("group", [groups.AUTHOR, groups.EDITOR])
def test_readers_are_not_shown_to_those_who_write(rita: Subscription, group: str) -> None:
    client = member(group)

    for model in ("subscriber", "subscription", "consentevent", "consentorigin", "suppression", "letter"):
        assert client.get(f"/admin/subscribers/{model}/").status_code == 403
    assert client.get("/admin/subscribers/newsletter/").status_code == 200


def test_an_editor_publishes_no_terms(texts: list[LegalVersion]) -> None:
    version = legal.draft(document=texts[0].document, body_markdown="Mine.", now=timezone.now())
    assert member(groups.EDITOR).post(f"/admin/subscribers/legalversion/{version.pk}/publish/").status_code == 403

    version.refresh_from_db()
    assert version.published_at is None


@pytest.mark.parametrize(("group", "decides"), [(groups.EDITOR, False), (groups.PUBLISHER, True)])
def test_only_a_publisher_lets_issues_leave_without_approval(rita: Subscription, group: str, decides: bool) -> None:
    client, newsletter = member(group), rita.newsletter
    page = f"/admin/subscribers/newsletter/{newsletter.pk}/change/"
    offers = client.get(page).context["inline_admin_formsets"][0].formset
    data = {f"{offers.prefix}-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    words = {
        name: getattr(newsletter, name) for name in ("slug", "description", "time_zone", "position", "stories_in_full")
    }
    response = client.post(page, {**data, **words, "name": "Renamed", "is_open": "on", "auto_approve": "on"})

    assert response.status_code == 302
    newsletter.refresh_from_db()
    assert (newsletter.name, newsletter.auto_approve) == ("Renamed", decides)
