"""What the database refuses even to the owner of its tables: each of its keys, checks and triggers is broken once.

A guard that goes missing lets its statement pass; one that is new has to be broken here too.
"""

import json
from datetime import datetime, time

import pytest
from django.contrib.auth.models import User
from django.db import Error, connection
from django.utils import timezone

from articles.front_models import FrontPage, FrontSection, FrontStory
from articles.models import (
    Acknowledgement,
    Article,
    Author,
    Byline,
    Image,
    ReaderLetter,
    ReleaseHorizon,
    Revision,
    Section,
    SlugRedirect,
    Tag,
    WorkingCopy,
)
from digests.models import (
    Delivery,
    DeliveryEvent,
    Issue,
    IssueEventCount,
    IssueItem,
    IssueOutcome,
    LinkCount,
    Preflight,
    Reply,
    Snapshot,
)
from publication.models import Publication
from staff.models import AuditEvent, Invitation, Limit
from subscribers.models import (
    AddressChange,
    CadenceOffer,
    ConsentEvent,
    ConsentOrigin,
    Demand,
    ImportCheckpoint,
    ImportJob,
    KeptHead,
    LeavingCount,
    LegalDocument,
    LegalVersion,
    Letter,
    Newsletter,
    Reduction,
    Segment,
    SpentEffort,
    Subscriber,
    Subscription,
    Suppression,
    TopicChoice,
    WelcomeLetter,
)
from tests import ownership

pytestmark = pytest.mark.django_db

OURS = ("articles", "digests", "publication", "staff", "subscribers")


def twice(table: str, **changes: object) -> str:
    """One row of the table once more, as a new row that differs in `changes` only."""
    change = json.dumps({"id": -1, **changes})
    return f"INSERT INTO {table} SELECT (jsonb_populate_record(row, '{change}')).* FROM {table} AS row LIMIT 1"  # noqa: S608  # our own words


def becomes(table: str, change: str) -> str:
    return f"UPDATE {table} SET {change}"  # noqa: S608  # our own words


OTHER_UUID = {"uuid": "00000000-0000-4000-8000-000000000001"}
STATEMENTS = {
    "acknowledgement_once": twice("articles_acknowledgement"),
    "article_stale_is_a_translation": becomes("articles_article", "stale_since = now(), translation_of_id = NULL"),
    "article_translated_once": becomes(
        "articles_article",
        "language = 'ru', translation_of_id = (SELECT min(id) FROM "
        "articles_article AS other) WHERE id > (SELECT min(id) FROM articles_article AS other)",
    ),
    "article_translates_another": becomes("articles_article", "translation_of_id = id"),
    "article_published_is_rendered": becomes("articles_article", "state = 'published', body_sha256 = ''"),
    "article_scheduled_has_hour": becomes("articles_article", "state = 'scheduled', publish_at = NULL"),
    "article_state_is_known": becomes("articles_article", "state = 'lost'"),
    "articles_article_slug_key": becomes("articles_article", "slug = 'same'"),
    "articles_author_slug_key": twice("articles_author", user_id=None),
    "articles_author_user_id_key": twice("articles_author", slug="other"),
    "articles_frontsection_section_id_key": twice("articles_frontsection"),
    "articles_frontstory_article_id_key": twice("articles_frontstory"),
    "articles_section_name_key": twice("articles_section", slug="other"),
    "articles_section_slug_key": twice("articles_section", name="Other"),
    "articles_slugredirect_slug_key": twice("articles_slugredirect"),
    "articles_tag_name_key": twice("articles_tag", slug="other"),
    "articles_tag_slug_key": twice("articles_tag", name="Other"),
    "image_focal_point_is_inside": becomes("articles_image", "focal_x = 1.1"),
    "byline_once_per_author": twice("articles_byline"),
    "release_horizon_is_one_row": twice("articles_releasehorizon"),
    "revision_number_once": twice("articles_revision"),
    "working_copy_once_per_form": twice("articles_workingcopy"),
    "delivery_deferred_has_hour": becomes("digests_delivery", "state = 'deferred', due_at = NULL"),
    "delivery_event_kind_is_known": becomes("digests_deliveryevent", "kind = 'lost'"),
    "delivery_event_once": twice("digests_deliveryevent"),
    "delivery_held_has_lease": becomes("digests_delivery", "state = 'attempting', lease_until = NULL"),
    "delivery_moved_is_settled": "SELECT digests_add_month('2026-11-01'); "
    + becomes("digests_delivery", "month = '2026-11-01'"),
    "delivery_once_per_reader": twice("digests_delivery", **OTHER_UUID),
    "digests_delivery_open_id": "INSERT INTO digests_delivery SELECT (jsonb_populate_record(row, jsonb_build_object("
    "'uuid', gen_random_uuid(), 'subscriber_id', NULL))).* FROM digests_delivery AS row LIMIT 1",
    "digests_delivery_open_uuid": twice("digests_delivery", subscriber_id=None),
    "delivery_state_is_known": becomes("digests_delivery", "state = 'lost'"),
    "digests_preflight_issue_id_key": twice("digests_preflight"),
    "digests_snapshot_issue_id_key": twice("digests_snapshot"),
    "issue_moved_is_finished": becomes("digests_issue", "deliveries_month = '2026-11-01', state = 'sending'"),
    "issue_item_once_per_article": twice("digests_issueitem"),
    "issue_event_count_once": twice("digests_issueeventcount"),
    "link_count_once": twice("digests_linkcount"),
    "issue_outcome_once": twice("digests_issueoutcome"),
    "issue_number_once": twice("digests_issue", period_key="other", **OTHER_UUID),
    "issue_once_per_period": twice("digests_issue", number=2, **OTHER_UUID),
    "issue_sending_is_planned": becomes("digests_issue", "audience_count = NULL"),
    "issue_state_is_known": becomes("digests_issue", "state = 'lost'"),
    "snapshot_is_frozen": becomes("digests_snapshot", "subject = 'Another'"),
    "variant_is_frozen": becomes("digests_variant", "subject = 'Another'"),
    "variant_once_per_text": twice("digests_variant"),
    "front_page_is_one_row": becomes("articles_frontpage", "id = 2"),
    "publication_is_one_row": twice("publication_publication"),
    "publication_mail_format_is_known": becomes("publication_publication", "mail_format = 'lost'"),
    "publication_typeface_is_known": becomes("publication_publication", "typeface = 'lost'"),
    "consent_chain_does_not_fork": twice("subscribers_consentevent", hash="3"),
    "newsletter_keeps_its_slug": becomes("subscribers_newsletter", "slug = 'another'"),
    "consent_event_is_append_only": becomes("subscribers_consentevent", "source = 'forged'"),
    "consent_event_is_not_emptied": "TRUNCATE subscribers_consentevent CASCADE",
    "kept_head_is_one_row": becomes("subscribers_kepthead", "id = 2"),
    "subscribers_importcheckpoint_fingerprint_key": twice("subscribers_importcheckpoint"),
    "subscribers_addresschange_subscriber_id_key": twice("subscribers_addresschange", **OTHER_UUID),
    "reduced_once_per_reader": twice("subscribers_reducedsubscription", letter_id=None),
    "reduction_is_to_a_lower_cadence": becomes("subscribers_reduction", "after = before"),
    "reduction_one_at_a_time": twice("subscribers_reduction"),
    "subscribers_reducedsubscription_letter_id_key": twice("subscribers_reducedsubscription", reduction_id=2),
    "subscribers_spenteffort_name_key": twice("subscribers_spenteffort"),
    "leaving_count_once": twice("subscribers_leavingcount"),
    "leaving_reason_is_known": becomes("subscribers_leavingcount", "reason = 'whim'"),
    "legal_one_document_per_kind": twice("subscribers_legaldocument", slug="other"),
    "demand_once_per_document": twice("subscribers_demand"),
    "legal_version_is_hashed": twice("subscribers_legalversion", number=2, sha256=""),
    "legal_version_is_not_emptied": "TRUNCATE subscribers_legalversion CASCADE",
    "legal_version_keeps_its_text": becomes("subscribers_legalversion", "body_html = '<p>We sell it.</p>'"),
    "legal_version_number_once": twice("subscribers_legalversion"),
    "import_state_is_known": becomes("subscribers_importjob", "state = 'lost'"),
    "letter_once_per_text": twice("subscribers_letter", **OTHER_UUID),
    "letter_of_series_names_it": becomes("subscribers_letter", "kind = 'series', welcome_id = NULL"),
    "letter_of_series_once": twice("subscribers_letter", **OTHER_UUID).replace("LIMIT", "WHERE kind = 'series' LIMIT"),
    "letter_state_is_known": becomes("subscribers_letter", "state = 'lost'"),
    "offer_cadence_is_known": becomes("subscribers_cadenceoffer", "cadence = 'hourly'"),
    "offer_day_is_in_every_month": becomes("subscribers_cadenceoffer", "day_of_month = 29"),
    "offer_digest_has_hour": becomes("subscribers_cadenceoffer", "send_at = NULL"),
    "offer_monthly_has_day": becomes("subscribers_cadenceoffer", "cadence = 'monthly'"),
    "offer_once_per_cadence": twice("subscribers_cadenceoffer"),
    "offer_weekly_has_weekday": becomes("subscribers_cadenceoffer", "weekday = NULL"),
    "audit_chain_does_not_fork": twice("staff_auditevent", hash="3"),
    "audit_event_is_append_only": becomes("staff_auditevent", "actor_name = 'somebody else'"),
    "audit_event_is_not_emptied": "TRUNCATE staff_auditevent",
    "limit_kind_is_known": becomes("staff_limit", "kind = '?'"),
    "limit_once": twice("staff_limit"),
    "invitation_ends_once": becomes("staff_invitation", "accepted_at = now(), withdrawn_at = now()"),
    "staff_auditevent_hash_key": twice("staff_auditevent", previous_hash="3"),
    "subscribers_consentevent_hash_key": twice("subscribers_consentevent", previous_hash="3"),
    "subscribers_consentorigin_event_id_key": twice("subscribers_consentorigin"),
    "subscribers_legaldocument_slug_key": twice("subscribers_legaldocument", kind="other"),
    "newsletter_default_cadence_is_known": becomes("subscribers_newsletter", "default_cadence = 'hourly'"),
    "subscribers_newsletter_name_key": twice("subscribers_newsletter", slug="other"),
    "subscribers_newsletter_slug_key": twice("subscribers_newsletter", name="Other"),
    "subscribers_subscriber_address_key_key": twice("subscribers_subscriber", **OTHER_UUID),
    "subscribers_suppression_address_hash_key": twice("subscribers_suppression"),
    "reader_hour_is_one": becomes("subscribers_subscriber", "mail_hour = 24"),
    "reader_quiet_hours_have_an_end": becomes("subscribers_subscriber", "quiet_from = 22"),
    "subscription_cadence_is_known": becomes("subscribers_subscription", "cadence = 'hourly'"),
    "subscription_confirmed_has_consent": becomes("subscribers_subscription", "consent_event_id = NULL"),
    "subscribers_topicchoice_key_key": twice("subscribers_topicchoice"),
    "subscription_format_is_known": becomes("subscribers_subscription", "format = 'lost'"),
    "subscription_days_are_of_a_daily": becomes("subscribers_subscription", "cadence = 'daily', days = '42'"),
    "subscription_once_per_newsletter": twice("subscribers_subscription", **OTHER_UUID),
    "subscription_state_is_known": becomes("subscribers_subscription", "state = 'lost'"),
    "digests_reply_fingerprint_key": twice("digests_reply", letter_id=None),
    "digests_reply_letter_id_key": twice("digests_reply", fingerprint="2"),
    "reply_state_is_known": becomes("digests_reply", "state = 'lost'"),
    "segment_name_once_per_newsletter": twice("subscribers_segment", name="WEEKLY"),
    "suppression_reason_is_known": becomes("subscribers_suppression", "reason = 'whim'"),
    "welcome_letter_once_a_day": twice("subscribers_welcomeletter"),
    "welcome_letter_since": becomes("subscribers_welcomeletter", "is_on = true, on_since = NULL"),
    "welcome_letter_time": becomes("subscribers_welcomeletter", "hour = 24"),
}
# A trigger says who it is in words; its error names no constraint.
WORDS = {
    "snapshot_is_frozen": "A frozen issue cannot change",
    "variant_is_frozen": "A frozen issue cannot change",
    "newsletter_keeps_its_slug": "keeps its slug",
    "consent_event_is_append_only": "Consent events are append-only",
    "consent_event_is_not_emptied": "subscribers_consentevent must not be emptied",
    "audit_event_is_append_only": "The audit log is append-only",
    "audit_event_is_not_emptied": "The audit log must not be emptied",
    "legal_version_is_not_emptied": "subscribers_legalversion must not be emptied",
    "legal_version_keeps_its_text": "A published legal text cannot be changed",
}

# What the models and migrations of these apps put beside primary and foreign keys, Django's own >= 0,
# tables of pairs, and random uuids.
GUARDS = """
SELECT index.relname FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
    JOIN pg_class AS owner ON owner.oid = indrelid
    WHERE indisunique AND NOT indisprimary AND owner.relname ~ %(ours)s
        AND index.relname !~ '(_uuid_key|_uniq)$|_[0-9]{4}_[0-9]{2}_uuid$'
UNION SELECT conname FROM pg_constraint JOIN pg_class AS owner ON owner.oid = conrelid
    WHERE contype = 'c' AND owner.relname ~ %(ours)s AND conname !~ '_check[0-9]*$'
UNION SELECT tgname FROM pg_trigger JOIN pg_class AS owner ON owner.oid = tgrelid
    WHERE NOT tgisinternal AND owner.relname ~ %(ours)s
        AND tgname !~ '^search_|_raises?_|^page_changes_|_along$'  -- those refuse nothing
"""


@pytest.fixture
def rows(db: None) -> None:
    """One row of each kind; three stories."""
    now = timezone.now()
    Publication.objects.current()
    ReleaseHorizon.objects.update_or_create(pk=1, defaults={"closed_until": now})
    AuditEvent.objects.create(action="signed_in", occurred_at=now, key_id="1", previous_hash="1", hash="2")
    Invitation.objects.create(address="b@example.com", role="Editor", created_at=now, expires_at=now)
    newsletter, story = written(now)
    reader = subscribed(newsletter, now)
    issued(newsletter, story, reader, now)


def written(now: datetime) -> tuple[Newsletter, Article]:
    """What editors write."""
    section, _tag = Section.objects.create(name="News", slug="news"), Tag.objects.create(name="Tag", slug="tag")
    FrontPage.objects.create(pk=1)
    FrontSection.objects.create(section=section, position=0)
    ada = User.objects.create(username="ada")
    WorkingCopy.objects.create(token="1", user=ada, content={})
    story, *_others = (Article.objects.create(slug=slug, section=section) for slug in ("one", "two", "three"))
    FrontStory.objects.create(article=story, position=0)
    Byline.objects.create(article=story, author=Author.objects.create(name="Ada", slug="ada", user=ada))
    Image.objects.create(file="images/1.jpg", alt="Dot")
    Revision.objects.create(article=story, number=1, snapshot={})
    Acknowledgement.objects.create(article=story, code="byline")
    SlugRedirect.objects.create(article=story, slug="old")
    newsletter = Newsletter.objects.create(name="Tech News", slug="tech-news", description="Tech.")
    CadenceOffer.objects.create(newsletter=newsletter, cadence="weekly", send_at=time(7), weekday=1)
    document = LegalDocument.objects.create(kind="terms", slug="terms", title="Terms")
    version = LegalVersion.objects.create(
        document=document, number=1, body_markdown="Be kind.", sha256="1", published_at=now
    )
    Demand.objects.create(newsletter=newsletter, document=document, version=version)
    Limit.objects.create(user=User.objects.create_user("limited"), kind="section", object_id=1)
    return newsletter, story


def subscribed(newsletter: Newsletter, now: datetime) -> Subscriber:
    """A reader, and what is known of readers."""
    reader = Subscriber.objects.create(address="a@example.com", address_key="a@example.com", address_hash="1")
    event = ConsentEvent.objects.create(
        kind="confirmed", subscriber_uuid=reader.uuid, address_hash="1", occurred_at=now, previous_hash="1", hash="2"
    )
    ConsentOrigin.objects.create(event=event)
    KeptHead.objects.create(pk=1, at="head", count=1)
    subscription = Subscription.objects.create(
        subscriber=reader, newsletter=newsletter, cadence="weekly", state="confirmed", consent_event=event
    )
    letter = Letter.objects.create(kind="renewal", subscriber=reader, version=LegalVersion.objects.get())
    reduction = Reduction.objects.create(newsletter=newsletter, before="daily", after="weekly", readers=1)
    reduction.moved.create(subscription=subscription, letter=letter, moved_at=now)
    welcome = WelcomeLetter.objects.create(newsletter=newsletter, day=1, subject="Hello", body_markdown="Words.")
    Letter.objects.create(kind="series", welcome=welcome, subscriber=reader)
    ImportJob.objects.create(newsletter=newsletter, file_name="list.csv")
    ImportCheckpoint.objects.create(newsletter=newsletter, fingerprint="1", updated_at=timezone.now())
    Suppression.objects.create(address_hash="2", reason="manual")
    TopicChoice.objects.create(key="s1")
    AddressChange.objects.create(subscriber=reader, address="new@example.com", address_key="new@example.com")
    Segment.objects.create(newsletter=newsletter, name="Weekly")
    LeavingCount.objects.create(newsletter=newsletter, month="2026-11-01", reason="other")
    SpentEffort.objects.create(name="1", spent_at=now)
    return reader


def issued(newsletter: Newsletter, story: Article, reader: Subscriber, now: datetime) -> None:
    """An issue that was sent to the reader."""
    issue = Issue.objects.create(
        newsletter=newsletter, kind="digest", cadence="weekly", period_key="1", number=1, state="sent", audience_count=1
    )
    IssueItem.objects.create(issue=issue, article=story)
    Preflight.objects.create(issue=issue)
    snapshot = Snapshot.objects.create(issue=issue, headers=[], compiled={}, audience_rule={})
    snapshot.variants.create(language="ru", headers=[], compiled={})
    Delivery.objects.create(issue=issue, subscriber=reader)
    IssueOutcome.objects.create(issue=issue, state="accepted", copies=1)
    letter = ReaderLetter.objects.create(article=story, name="Ann", text="Well said.")
    Reply.objects.create(
        issue=issue, subscriber=reader, delivery_uuid=reader.uuid, fingerprint="1", is_from_reader=True, letter=letter
    )
    IssueEventCount.objects.create(issue=issue, kind="delivered", events=1)
    LinkCount.objects.create(issue=issue, hour=now, url="https://example.com/")
    DeliveryEvent.objects.create(provider="p", event_id="1", kind="delivered", occurred_at=now)


def test_every_guard_of_the_database_is_known_here() -> None:
    with connection.cursor() as cursor:
        cursor.execute(GUARDS, {"ours": f"^({'|'.join(OURS)})_"})
        guards = {name for (name,) in cursor.fetchall()}
    assert guards == set(STATEMENTS)


def test_each_guard_refuses_what_it_is_for(rows: None) -> None:
    """All in one test, since the rows are the same and each statement is undone."""
    missing = {name: reply for name, statement in STATEMENTS.items() if not (reply := reply_of(statement, name))[0]}
    assert not missing


def reply_of(statement: str, guard: str) -> tuple[bool, str]:
    """Whether this guard refused the statement, and the database's message."""
    try:
        with ownership.owner(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL newsroom.allow_truncate = 'off'")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(statement)
    except Error as error:
        return WORDS.get(guard, f'"{guard}"') in str(error), str(error)
    return False, "nothing: it passed"
