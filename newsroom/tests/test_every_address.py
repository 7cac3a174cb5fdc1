"""Every address of the admin, as the resolver lists them: who opens it. An address without a line in the table fails.

The objects are outside of the limits of the limited publisher. A page opens if it is shown, or says what is wrong
with what was posted; it is refused by 403 or 404, or by the way to another page.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
import time_machine
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.template.backends.django import Template
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django import Settings

from articles.models import Article, Correction, Revision, Section, SlugRedirect, Tag
from digests.models import Issue, IssueItem, Reply
from newsroom.tests import test_rights
from publication.models import Publication
from staff.models import Invitation
from subscribers.models import Letter, Newsletter, Segment, Subscriber, Subscription, Suppression, WelcomeLetter
from tests.cast import signed_in

pytestmark = pytest.mark.django_db

# What somebody who is not signed in may ask for: to sign in, to join, to get a new password.
OPEN: Final = {
    "account_login", "login", "account_join", "account_again", "account_inactive", "account_reset_password",
    "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
}  # fmt: skip
# What somebody without a second factor may do besides: get one, or leave.
SETTING_UP: Final = {
    "mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate", "account_logout", "logout",
}  # fmt: skip
# Author, Editor, Publisher, aDministrator, Limited publisher, None: an account without a role. The last line is
# nobody's: there is no such page, or the address needs what the world below has not.
TABLE: Final = {
    "AEPDLN": """
        account_logout account_change_password account_mine account_end_session account_end_other_sessions account_join
        account_again account_inactive account_reauthenticate account_reset_password account_reset_password_done
        account_reset_password_from_key_done mfa_index mfa_reauthenticate mfa_activate_totp mfa_generate_recovery_codes
        mfa_list_webauthn mfa_add_webauthn mfa_reauthenticate_webauthn search index logout password_change
        password_change_done jsi18n publication_publication_changelist""",
    "AEPDL": """
        calendar newsletters agreements articles_revision_changelist articles_correction_changelist
        articles_section_changelist articles_section_history articles_section_change articles_tag_changelist
        articles_tag_add articles_tag_history articles_tag_change articles_author_changelist articles_author_history
        articles_author_change articles_image_search articles_image_upload articles_image_changelist
        articles_image_add articles_article_cards articles_article_frame articles_article_unsaved_new
        articles_article_copies_new articles_article_checklist_new articles_article_changelist articles_article_add
        subscribers_legaldocument_changelist subscribers_legaldocument_history subscribers_legaldocument_change
        subscribers_legalversion_changelist subscribers_legalversion_history subscribers_legalversion_change
        subscribers_newsletter_changelist digests_snapshot_changelist digests_issueitem_changelist
        digests_issue_story_new digests_issue_changelist app_list""",
    "AEPD": """
        newsletter newsletter_elsewhere subscribers_newsletter_history subscribers_newsletter_change
        digests_issueitem_history
        digests_issueitem_change digests_issue_progress digests_issue_preview digests_issue_figures_file
        digests_issue_history digests_issue_change""",
    "EPDL": """
        publication_publication_history publication_publication_change articles_slugredirect_changelist
        articles_tag_delete
        articles_author_add articles_author_delete subscribers_legalversion_add
        digests_issue_compose digests_issue_add segments replies subscribers_welcomeletter_changelist
        subscribers_welcomeletter_add""",
    "EPD": """
        calendar_move calendar_move_issue articles_correction_history articles_correction_change
        articles_revision_restore articles_revision_history articles_revision_change
        articles_slugredirect_history articles_slugredirect_change articles_article_preview articles_article_copies
        articles_article_presence articles_article_unsaved articles_article_checklist articles_article_compare
        articles_article_comment articles_article_translate articles_article_translated articles_article_history
        articles_article_change subscribers_newsletter_release digests_issue_story digests_issue_correct
        digests_issue_growth digests_issue_growth_file digests_issue_do digests_issue_delete segment reply segment_new
        segment_letter segment_delete subscribers_welcomeletter_change subscribers_welcomeletter_history
        subscribers_welcomeletter_delete subscribers_welcomeletter_mail subscribers_welcomeletter_frame
        subscribers_welcomeletter_proof""",
    "PDL": """
        identity_frame identity_preview identity_sheet readers imports export staff_invitation_changelist
        staff_invitation_history staff_invitation_change
        staff_person_changelist staff_person_history staff_person_change publication_publication_sender
        subscribers_legaldocument_add subscribers_legaldocument_delete subscribers_newsletter_sender
        subscribers_subscriber_changelist subscribers_subscription_changelist subscribers_suppression_changelist
        subscribers_suppression_history subscribers_suppression_change subscribers_letter_changelist
        digests_delivery_changelist digests_deliveryevent_changelist digests_issue_why_reader""",
    "PD": """
        front_page order segment_readers staff_auditevent_export staff_auditevent_changelist staff_auditevent_history
        staff_auditevent_change reader reader_evidence reader_evidence_file reader_download reader_act
        staff_invitation_invite articles_section_add demand ask_to_agree less_often
        articles_article_do subscribers_newsletter_add subscribers_subscriber_history subscribers_subscriber_delete
        subscribers_subscriber_change subscribers_consentevent_changelist subscribers_consentevent_history
        subscribers_consentevent_change subscribers_consentorigin_changelist subscribers_consentorigin_history
        subscribers_consentorigin_change subscribers_suppression_add digests_delivery_history digests_delivery_change
        digests_issue_as_reader digests_issue_find_reader digests_issue_why digests_issue_copies_file
        articles_section_delete subscribers_subscription_history subscribers_subscription_change
        subscribers_letter_history subscribers_letter_change""",
    "D": """
        health staff_person_limits""",
    "": """
        import import_refused reader_lift account_login mfa_authenticate mfa_deactivate_totp mfa_view_recovery_codes
        mfa_download_recovery_codes mfa_login_webauthn mfa_remove_webauthn mfa_edit_webauthn login autocomplete
        view_on_site staff_auditevent_add staff_auditevent_delete staff_invitation_do staff_invitation_add
        staff_invitation_delete staff_person_do staff_person_add staff_person_delete publication_publication_add
        publication_publication_delete articles_revision_add articles_revision_delete articles_correction_add
        articles_correction_delete articles_slugredirect_add articles_slugredirect_delete articles_image_history
        articles_image_delete articles_image_change articles_article_remark articles_article_delete
        subscribers_legalversion_publish subscribers_legalversion_delete subscribers_newsletter_delete
        subscribers_subscriber_add subscribers_subscription_add subscribers_subscription_delete
        subscribers_consentevent_add subscribers_consentevent_delete subscribers_consentorigin_add
        subscribers_consentorigin_delete subscribers_suppression_delete subscribers_letter_add subscribers_letter_delete
        digests_delivery_add digests_delivery_delete digests_deliveryevent_add digests_deliveryevent_history
        digests_deliveryevent_delete digests_deliveryevent_change digests_snapshot_add digests_snapshot_history
        digests_snapshot_delete digests_snapshot_change digests_issueitem_add digests_issueitem_delete
        digests_issue_part""",
}
RIGHTS: Final = {name: roles for roles, names in TABLE.items() for name in names.split()}
EXAMPLES: Final = {"slug": "x", "str": "x", "uuid": "7c5a1c5e-5b0e-4c7e-9f0e-1d7f5d3e2a10", "int": "0", "path": "0"}
WORDS: Final = {
    "digests": "proof", "articles": "publish", "readers": "erase", "part": "html", "kind": "card", "rows": "sections",
    "document": "terms-of-use",
}  # fmt: skip
PLACES: Final = {
    "calendar/": Article, "calendar/issues/": Issue, "newsletters/": Newsletter, "digests/issue/story-mail/": Article,
    "readers/segments/": Segment, "replies/": Reply,
}  # fmt: skip


def patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, str]]:
    """Each address under the resolver, with its name."""
    for each in resolver.url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route, each.name or ""
        else:
            yield from patterns(each, route)


def model_of(route: str, name: str) -> type[Model] | None:
    """What the number in this address is a number of."""
    before, parts = route.partition("<")[0].removeprefix("admin/"), route.split("/")
    if name in {"reader", "newsletter"}:
        return Subscriber if name == "reader" else Newsletter
    try:
        return PLACES.get(before) or apps.get_model(parts[1], parts[2])
    except LookupError:
        return None


def example(route: str, rows: dict[type[Model], Model]) -> str:
    """The address of an object that is there, where the route asks for one."""

    def value(match: re.Match[str]) -> str:
        kind, name = match[1], match[2]
        model = model_of(route, name)
        if kind == "uuid" and Subscriber in rows and "readers/" in route:
            return str(rows[Subscriber].uuid)  # type: ignore[attr-defined]  # a reader
        if kind == "slug":
            return WORDS.get(name) or WORDS.get(route.split("/")[1], "x")
        row = rows.get(model) or model._default_manager.last() if model else None
        return str(row.pk) if row and kind in {"int", "path"} else EXAMPLES[kind]

    path = re.sub(r"<(\w+):(\w+)>", value, route)
    return "/" + re.sub(r"\^\(\?P<app_label>.*", "digests/", path)


def addresses(rows: dict[type[Model], Model] | None = None) -> dict[str, str]:
    """Name -> an example of each address of the admin."""
    named = [(route, name) for route, name in patterns(get_resolver()) if route.startswith("admin/") and name]
    examples = {name: example(route, rows or {}) for route, name in named if "^password" not in route}
    assert len(examples) > 180
    return examples


def opens(response: Any) -> bool:
    """Whether the page itself comes back."""
    if response.status_code in {301, 302}:
        return not re.search(r"/login/|^/admin/$|/admin/account/keys/$", response.headers["Location"])
    return response.status_code in {200, 201, 400, 410, 422}


def ask(browser: Client, address: str) -> Any:
    """GET, or POST where that is the only way."""
    response = browser.get(address)
    return browser.post(address) if response.status_code == 405 else response


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may open a page is decided before it is drawn."""
    monkeypatch.setattr(Template, "render", lambda *_args, **_options: "")
    monkeypatch.setattr(admin.site, "each_context", lambda _request: {})


@pytest.fixture
def world(publication: Publication) -> test_rights.World:
    """People, and things outside of the limits of those who have some."""
    world = test_rights.make_world()
    world.people["none"] = User.objects.create_user("nobody", password="secret", is_staff=True)
    story, root = world.stories["other published"], world.people[test_rights.ADMIN]
    root.set_password("secret")
    root.save()
    Tag.objects.create(name="Tag", slug="tag")
    Correction.objects.create(article=story, text="Not so.")
    SlugRedirect.objects.create(article=story, slug="old")
    IssueItem.objects.create(issue=world.issues["other draft"], article=story)
    Suppression.objects.create(address_hash="0" * 64, reason="manual")
    Invitation.objects.create(
        address="new@blocknews.example",
        role="Editor",
        invited_by=root,
        created_at=world.now,
        expires_at=world.now + timedelta(days=1),
    )
    reader = world.readers["other"]
    Segment.objects.create(newsletter=reader.newsletter, name="Daily")
    Reply.objects.create(
        issue=world.issues["other sending"], subscriber=reader.subscriber, delivery_uuid=reader.uuid, fingerprint="1",
        is_from_reader=True,
    )  # fmt: skip
    return world


def things(world: test_rights.World) -> dict[type[Model], Model]:
    """What the addresses are about."""
    reader = world.readers["other"]
    words = {"subject": "Hello", "body_markdown": "Words."}
    letter, _made = WelcomeLetter.objects.get_or_create(newsletter=reader.newsletter, day=1, defaults=words)
    return {
        WelcomeLetter: letter,
        Article: world.stories["other published"], Issue: world.issues["other draft"],
        Newsletter: reader.newsletter, Subscriber: reader.subscriber, Subscription: reader,
        Letter: reader.subscriber.letters.latest("pk"), Section: world.stories["other published"].section,
        Revision: world.stories["other published"].revisions.latest("number"),
    }  # fmt: skip


def test_each_address_opens_for_those_who_may(world: test_rights.World, unrendered: None) -> None:
    people = {
        "A": test_rights.AUTHOR, "E": test_rights.EDITOR, "P": test_rights.PUBLISHER, "D": test_rights.ADMIN,
        "L": test_rights.TECH_PUBLISHER, "N": "none",
    }  # fmt: skip
    browsers = {letter: signed_in(world.people[role]) for letter, role in people.items()}
    examples = addresses(things(world))
    openers = {
        name: "".join(letter for letter, browser in browsers.items() if opens(ask(browser, address)))
        for name, address in examples.items()
    }
    wrong = {name: (roles, RIGHTS.get(name)) for name, roles in openers.items() if roles != RIGHTS.get(name)}
    assert not wrong
    assert not RIGHTS.keys() - openers.keys()


def test_nobody_gets_anything_without_a_session(publication: Publication, unrendered: None) -> None:
    browser = Client()
    given = {
        (name, response.status_code)
        for name, address in addresses().items()
        for response in (browser.get(address), browser.post(address))
        if name not in OPEN and opens(response)
    }
    assert not given


def test_nor_in_one_that_has_ended_nor_without_a_second_factor(
    world: test_rights.World, settings: Settings, unrendered: None
) -> None:
    examples = addresses(things(world))
    browser = signed_in(world.people[test_rights.ADMIN])
    settings.REQUIRE_SECOND_FACTOR = True
    given = {name for name, address in examples.items() if opens(ask(browser, address))}
    assert given - OPEN - SETTING_UP == set()
    settings.REQUIRE_SECOND_FACTOR = False
    browser = signed_in(world.people[test_rights.ADMIN])
    with time_machine.travel(timezone.now() + timedelta(hours=13), tick=True):
        given = {name for name, address in examples.items() if opens(ask(browser, address))}
    assert given - OPEN == set()
