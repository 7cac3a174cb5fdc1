"""Rights as a matrix: role x act x object, through verbs, pages, bulk actions and addresses."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.test import Client
from django.utils import timezone

from articles import deletion, publishing
from articles.models import Article, Author, Byline, Section
from core.reasons import Reason
from digests import approval, proofs, replies, segment_letters, uncertain
from digests.models import Delivery, Issue, Reply
from digests.tests import copies
from publication import groups
from publication.models import Publication
from staff import audit_export, limits
from staff.models import AuditEvent, LimitKind
from subscribers import demands, erasure, legal, reductions, renewal, segments, signup, suppression
from subscribers import evidence as proof_of_consent
from subscribers.letters import queue
from subscribers.models import Cadence, LegalVersion, Newsletter, Segment, Subscriber, Subscription, Suppression
from tests.cast import account, confirmed, evidence, make_newsletter, make_texts

pytestmark = pytest.mark.django_db

AUTHOR, EDITOR, PUBLISHER, ADMIN = "author", "editor", "publisher", "administrator"
# Of the section News and the newsletter Tech News alone.
NEWS_EDITOR, TECH_PUBLISHER = "editor of News", "publisher of Tech News"
NOBODY = "nobody"
STAFF = {AUTHOR, EDITOR, PUBLISHER, ADMIN, NEWS_EDITOR, TECH_PUBLISHER}
EDITORS = {EDITOR, PUBLISHER, ADMIN, NEWS_EDITOR, TECH_PUBLISHER}
PUBLISHERS = {PUBLISHER, ADMIN, TECH_PUBLISHER}
UNLIMITED = {EDITOR, PUBLISHER, ADMIN}
LIMITED = {NEWS_EDITOR, TECH_PUBLISHER}


@dataclass(frozen=True)
class World:
    """People, and two of each thing: one inside of the limits, one outside."""

    people: dict[str, User]
    stories: dict[str, Article]
    issues: dict[str, Issue]
    readers: dict[str, Subscription]
    now: datetime


def story(section: Section, state: str, author: Author, now: datetime) -> Article:
    name = f"{section.name} {state} {author}"
    article = Article.objects.create(
        headline=name, slug=name.lower().replace(" ", "-"), section=section, body_markdown="Words."
    )
    Byline.objects.create(article=article, author=author)
    publishing.save_revision(article=article, actor=None, now=now)
    if state == "in_review":
        publishing.submit(article=article, actor=None, now=now)
    if state == "published":
        publishing.publish(article=article, actor=None, now=now)
    return article


def issue(newsletter: Newsletter, state: str) -> Issue:
    row = copies.issue(newsletter, state=Issue.State(state))
    row.introduction = "Words."
    row.save()
    copies.copy(row, None, Delivery.State.UNCERTAIN)
    return row


@pytest.fixture
def world(publication: Publication) -> World:
    """The whole cast."""
    return make_world()


def make_world() -> World:
    """People with roles and limits, and what they act on."""
    now = timezone.now()
    make_texts()
    news, markets = (Section.objects.create(name=name, slug=name.lower()) for name in ("News", "Markets"))
    tech, money = make_newsletter("Tech News"), make_newsletter("Money")
    roles = {AUTHOR: groups.AUTHOR, EDITOR: groups.EDITOR, PUBLISHER: groups.PUBLISHER}
    roles |= {NEWS_EDITOR: groups.EDITOR, TECH_PUBLISHER: groups.PUBLISHER}
    people = {role: account(role.replace(" ", "-"), group) for role, group in roles.items()}
    people[ADMIN] = User.objects.create_superuser("root")
    for role in LIMITED:
        limits.change(user=people[role], kind=LimitKind.SECTION, chosen=[news.pk], actor=None, now=now)
        limits.change(user=people[role], kind=LimitKind.NEWSLETTER, chosen=[tech.pk], actor=None, now=now)
    ada = Author.objects.create(name="Ada", slug="ada", user=people[AUTHOR])
    other = Author.objects.create(name="Other", slug="other")
    stories = {
        f"{where} {state}": story(section, state, other, now)
        for where, section in (("mine", news), ("other", markets))
        for state in ("draft", "in_review", "published")
    }
    stories["own draft"] = story(news, "draft", ada, now)
    issues = {
        f"{where} {state}": issue(newsletter, state)
        for where, newsletter in (("mine", tech), ("other", money))
        for state in ("draft", "scheduled", "sending", "paused")
    }
    readers = {"mine": confirmed("rita@reader.org", tech), "other": confirmed("bob@reader.org", money)}
    return World(people, stories, issues, readers, now)


Verb = Callable[[World, User, str], Any]


def of_story(verb: Callable[..., Any], state: str, **fields: Any) -> Verb:
    def act(world: World, actor: User, where: str) -> Any:
        key = "own draft" if where == "own" else f"{where} {state}"
        return verb(article=world.stories[key], actor=actor, now=world.now, **fields)

    return act


def of_issue(verb: Callable[..., Any], state: str, **fields: Any) -> Verb:
    return lambda world, actor, where: verb(
        issue=world.issues[f"{where} {state}"], actor=actor, now=world.now, **fields
    )


def of_reader(verb: Callable[..., Any], **fields: Any) -> Verb:
    return lambda world, actor, where: verb(
        address_key=world.readers[where].subscriber.address_key, actor=actor, now=world.now, **fields
    )


def of_newsletter(verb: Callable[..., Any], **fields: Any) -> Verb:
    return lambda world, actor, where: verb(
        newsletter=world.readers[where].newsletter, actor=actor, now=world.now, **fields
    )


def rewrite(*, article: Article, actor: User, now: datetime) -> None:
    Article.objects.filter(pk=article.pk).update(headline="Other words")
    publishing.save_revision(article=article, actor=actor, now=now, note="A wrong name.")


def segment(world: World, where: str) -> Segment:
    return Segment.objects.create(newsletter=world.readers[where].newsletter, name="Daily")


def of_reply(verb: Callable[..., Any], **fields: Any) -> Verb:
    """Of an answer to an issue, about a story."""

    def act(world: World, actor: User, where: str) -> Any:
        reader = world.readers[where]
        reply = Reply.objects.create(
            issue=world.issues[f"{where} sending"], subscriber=reader.subscriber, delivery_uuid=reader.uuid,
            fingerprint="1", is_from_reader=True, story=world.stories[f"{where} published"],
        )  # fmt: skip
        return verb(reply=reply, actor=actor, now=world.now, **fields)

    return act


def publish_text(world: World, actor: User, _where: str) -> None:
    document = LegalVersion.objects.earliest("pk").document
    version = legal.draft(document=document, body_markdown="New.", now=world.now)
    legal.publish_version(version=version, actor=actor, now=world.now)


def demand_text(world: World, actor: User, where: str) -> None:
    version = LegalVersion.objects.select_related("document").earliest("pk")
    newsletter = world.readers[where].newsletter
    demands.demand(newsletter=newsletter, version=version, actor=actor, now=world.now)
    demands.withdraw(newsletter=newsletter, document=version.document, actor=actor, now=world.now)


SOON = timezone.now() + timedelta(days=1)
# Act -> how, who may do it inside of the limits of those who have some, and who outside of them.
VERBS: dict[str, tuple[Verb, set[str], set[str]]] = {
    "submit a story": (of_story(publishing.submit, "draft"), EDITORS, UNLIMITED),
    "return a story": (of_story(publishing.return_to_draft, "in_review"), EDITORS, UNLIMITED),
    "rewrite a live story": (of_story(rewrite, "published"), EDITORS, UNLIMITED),
    "correct a story": (of_story(publishing.correct, "published", text="Not so."), EDITORS, UNLIMITED),
    "publish a story": (of_story(publishing.publish, "in_review"), PUBLISHERS, UNLIMITED - {EDITOR}),
    "schedule a story": (
        of_story(publishing.schedule, "in_review", publish_at=SOON), PUBLISHERS, UNLIMITED - {EDITOR},
    ),
    "withdraw a story": (
        of_story(publishing.withdraw, "published", reason="Not so."), PUBLISHERS, UNLIMITED - {EDITOR},
    ),
    "delete a draft": (of_story(deletion.delete, "draft"), EDITORS, UNLIMITED),
    "send a proof": (of_issue(proofs.send_proof, "draft", to="me@blocknews.example"), EDITORS, UNLIMITED),
    "take an approval back": (of_issue(approval.reopen, "scheduled", reason=Reason()), PUBLISHERS, {PUBLISHER, ADMIN}),
    "pause an issue": (of_issue(approval.pause, "sending", reason="Wait."), PUBLISHERS, {PUBLISHER, ADMIN}),
    "resume an issue": (of_issue(approval.resume, "paused"), PUBLISHERS, {PUBLISHER, ADMIN}),
    "cancel an issue": (of_issue(approval.cancel, "sending", reason="No."), PUBLISHERS, {PUBLISHER, ADMIN}),
    "accept copies": (of_issue(uncertain.accept, "sending", deliveries=None), PUBLISHERS, {PUBLISHER, ADMIN}),
    "resend copies": (of_issue(uncertain.resend, "sending", deliveries=None), PUBLISHERS, {PUBLISHER, ADMIN}),
    "save a segment": (
        of_newsletter(segments.save, name="Daily", lines=[segments.Condition("cadence", "is", "daily")]),
        EDITORS, UNLIMITED,
    ),
    "delete a segment": (
        lambda world, actor, where: segments.delete(segment=segment(world, where), actor=actor, now=world.now),
        EDITORS, UNLIMITED,
    ),
    "write to a segment": (
        lambda world, actor, where: segment_letters.draft(
            segment=segment(world, where), subject="A", text="B.", actor=actor, now=world.now
        ),
        EDITORS, UNLIMITED,
    ),
    "settle a reply": (of_reply(replies.settle, state="done"), EDITORS, UNLIMITED),
    "give a reply to a story": (of_reply(replies.assign, story=None), EDITORS, UNLIMITED),
    "publish a reply": (of_reply(replies.publish, name="Ann", text="So."), EDITORS, UNLIMITED),
    "unsubscribe a reader": (
        lambda world, actor, where: signup.unsubscribe(
            subscription=world.readers[where], evidence=evidence(), reason="admin", actor=actor, now=world.now
        ),
        PUBLISHERS, {PUBLISHER, ADMIN},
    ),
    "release letters": (of_newsletter(queue.release, per_hour=60), EDITORS, UNLIMITED),
    # What is about a reader everywhere is for those who have every newsletter.
    "erase a reader": (
        lambda world, actor, where: erasure.erase(
            address_key=world.readers[where].subscriber.address_key, evidence=evidence(), actor=actor, now=world.now
        ),
        {PUBLISHER, ADMIN}, {PUBLISHER, ADMIN},
    ),
    "block a reader": (
        of_reader(suppression.suppress, reason=Suppression.Reason.MANUAL), {PUBLISHER, ADMIN}, {PUBLISHER, ADMIN},
    ),
    "show a reader's consent": (
        lambda world, actor, where: proof_of_consent.of(
            address=world.readers[where].subscriber.address, actor=actor, now=world.now
        ),
        {PUBLISHER, ADMIN}, {PUBLISHER, ADMIN},
    ),
    "demand a legal text": (demand_text, PUBLISHERS, {PUBLISHER, ADMIN}),
    "ask for agreement": (
        lambda world, actor, where: renewal.ask(
            newsletter=world.readers[where].newsletter,
            version=LegalVersion.objects.select_related("document").earliest("pk"),
            actor=actor,
            now=world.now,
        ),
        PUBLISHERS, {PUBLISHER, ADMIN},
    ),
    "move readers": (
        of_newsletter(reductions.begin, before="daily", after="weekly"), PUBLISHERS, {PUBLISHER, ADMIN},
    ),
    "publish a legal text": (publish_text, PUBLISHERS, PUBLISHERS),
    "export the audit log": (
        lambda world, actor, _where: audit_export.export(
            events=AuditEvent.objects.all(), filters={}, actor=actor, now=world.now
        ),
        {PUBLISHER, ADMIN}, {PUBLISHER, ADMIN},
    ),
    "limit somebody": (
        lambda world, actor, _where: limits.change(
            user=world.people[AUTHOR], kind=LimitKind.SECTION, chosen=[], actor=actor, now=world.now
        ),
        {ADMIN}, {ADMIN},
    ),
}  # fmt: skip
REFUSALS = (publishing.NotAllowed, PermissionDenied, limits.NotAllowed)


def allowed(verb: Verb, world: World, role: str, where: str) -> bool:
    """Whether the verb lets this person act; what it does is undone. Another refusal than of rights is a fault."""
    entries = AuditEvent.objects.count()
    with transaction.atomic():
        try:
            verb(world, User.objects.get(pk=world.people[role].pk), where)
        except REFUSALS:
            assert AuditEvent.objects.count() == entries
            return False
        finally:
            transaction.set_rollback(True)
    return True


def test_each_verb_asks_who_acts_and_on_what(world: World) -> None:
    wrong = [
        (name, role, where, role in expected)
        for name, (verb, inside, outside) in VERBS.items()
        for where, expected in (("mine", inside), ("other", outside))
        for role in sorted(STAFF)
        if allowed(verb, world, role, where) is not (role in expected)
    ]
    assert not wrong


def test_an_author_submits_own_drafts_and_does_nothing_else(world: World) -> None:
    for verb, may in ((publishing.submit, True), (deletion.delete, False), (publishing.publish, False)):
        assert allowed(of_story(verb, "draft"), world, AUTHOR, "own") is may


def test_a_story_cannot_be_put_into_a_section_of_others(world: World) -> None:
    article, now = world.stories["mine draft"], world.now
    Article.objects.filter(pk=article.pk).update(section=Section.objects.get(name="Markets"))
    with pytest.raises(publishing.NotAllowed):
        publishing.save_revision(article=article, actor=world.people[NEWS_EDITOR], now=now)
    publishing.save_revision(article=article, actor=world.people[EDITOR], now=now)


def test_whoever_is_left_with_no_section_has_none_and_not_all(world: World) -> None:
    Article.objects.filter(section__name="News").update(section=Section.objects.get(name="Markets"))
    Section.objects.get(name="News").delete()
    assert not allowed(VERBS["publish a story"][0], world, TECH_PUBLISHER, "mine")


def addresses(world: World) -> dict[str, tuple[str, set[str], set[str]]]:
    """Page -> its address where {} is the object, who opens it inside and who outside of the limits."""
    return {
        "a story": ("/admin/articles/article/{story}/change/", EDITORS, UNLIMITED),
        "its preview": ("/admin/articles/article/{story}/preview/", EDITORS, UNLIMITED),
        "publish it": ("/admin/articles/article/{story}/do/publish/", PUBLISHERS, {PUBLISHER, ADMIN}),
        "an issue": ("/admin/digests/issue/{issue}/change/", STAFF, UNLIMITED | {AUTHOR}),
        "cancel it": ("/admin/digests/issue/{issue}/do/cancel/", PUBLISHERS, {PUBLISHER, ADMIN}),
        "a newsletter": ("/admin/subscribers/newsletter/{newsletter}/change/", STAFF, UNLIMITED | {AUTHOR}),
        "its letters": ("/admin/subscribers/newsletter/{newsletter}/release/", EDITORS, UNLIMITED),
        "a reader": ("/admin/subscribers/subscriber/{reader}/change/", PUBLISHERS, {PUBLISHER, ADMIN}),
        "readers": ("/admin/subscribers/subscriber/", PUBLISHERS, PUBLISHERS),
        "the audit log": ("/admin/staff/auditevent/", {PUBLISHER, ADMIN}, {PUBLISHER, ADMIN}),
        "the publication": ("/admin/publication/publication/1/change/", EDITORS, EDITORS),
        "people": ("/admin/staff/person/", PUBLISHERS, PUBLISHERS),
        "invite somebody": ("/admin/staff/invitation/invite/", {PUBLISHER, ADMIN}, {PUBLISHER, ADMIN}),
        "somebody's limits": (f"/admin/staff/person/{world.people[EDITOR].pk}/limits/", {ADMIN}, {ADMIN}),
    }


def test_each_page_opens_for_those_who_may(world: World) -> None:
    browsers = {role: Client() for role in (*STAFF, NOBODY)}
    for role, person in world.people.items():
        browsers[role].force_login(person)
    wrong = []
    for name, (address, inside, outside) in addresses(world).items():
        for where, expected in (("mine", inside), ("other", outside)):
            reader = world.readers[where]
            path = address.format(
                story=world.stories[f"{where} published" if "do/" not in address else f"{where} in_review"].pk,
                issue=world.issues[f"{where} sending"].pk,
                newsletter=reader.newsletter_id,
                reader=reader.subscriber_id,
            )
            opens = {role for role, browser in browsers.items() if browser.get(path).status_code == 200}
            wrong += [(name, where, opens - expected, expected - opens)] if opens != expected else []
    assert not wrong


def test_a_bulk_action_reaches_only_what_the_list_shows(world: World) -> None:
    browser = Client()
    browser.force_login(world.people[TECH_PUBLISHER])
    stories = [world.stories["mine in_review"].pk, world.stories["other in_review"].pk]
    browser.post("/admin/articles/article/", {"action": "publish_selected", "_selected_action": stories})
    states = {article.section.name: article.state for article in Article.objects.filter(pk__in=stories)}
    assert states == {"News": "published", "Markets": "in_review"}
    rows = [row.pk for row in world.readers.values()]
    browser.post("/admin/subscribers/subscription/", {"action": "unsubscribe", "_selected_action": rows})
    ended = Subscription.objects.filter(state="unsubscribed")
    assert [row.newsletter.name for row in ended] == ["Tech News"]
    readers = list(Subscriber.objects.values_list("pk", flat=True))
    browser.post("/admin/subscribers/subscriber/", {"action": "block", "_selected_action": readers})
    assert not Suppression.objects.exists()
    uncertain_ones = list(Delivery.objects.values_list("pk", flat=True))
    browser.post("/admin/digests/delivery/", {"action": "call_accepted", "_selected_action": uncertain_ones})
    settled = Delivery.objects.filter(state=Delivery.State.ACCEPTED).values_list("issue__newsletter__name", flat=True)
    assert set(settled) == {"Tech News"}


def test_limits_are_set_on_a_page_and_recorded(world: World) -> None:
    browser, person = Client(), world.people[EDITOR]
    browser.force_login(world.people[ADMIN])
    page = f"/admin/staff/person/{person.pk}/limits/"
    section = Section.objects.get(name="Markets")
    data = {"section": [section.pk], "newsletter": []}
    assert browser.post(page, data).status_code in {200, 302}
    if limits.of(person, kind=LimitKind.SECTION) is None:
        User.objects.filter(pk=world.people[ADMIN].pk).update(password="")
        root = User.objects.get(pk=world.people[ADMIN].pk)
        root.set_password("secret")
        root.save()
        browser.force_login(root)
        browser.post(page, data | {"password_again": "secret"})
    assert limits.of(person, kind=LimitKind.SECTION) == frozenset([section.pk])
    assert limits.of(person, kind=LimitKind.NEWSLETTER) is None
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.object_id) == ("rights_changed", str(person.pk))
    assert event.detail == {"changed": {"sections": [[], ["Markets"]]}}


def test_an_editor_composes_for_own_newsletters(world: World) -> None:
    browser = Client()
    browser.force_login(world.people[NEWS_EDITOR])
    offers = browser.get("/admin/digests/issue/compose/").context["form"].fields["offer"].queryset
    assert {offer.newsletter.name for offer in offers} == {"Tech News"}
    assert all(offer.cadence in Cadence for offer in offers)
