"""What the team does to readers, newsletters and texts is in the audit log, without anybody's address."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from mailkit import addresses
from publication import groups
from staff import audit
from staff.audit_actions import AuditAction
from staff.models import AuditEvent
from subscribers import erasure, legal, signup, suppression
from subscribers import evidence as proofs
from subscribers.letters import queue
from subscribers.models import LegalVersion, Subscription, Suppression
from tests.cast import RITA, account, evidence, make_newsletter, signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db

KEY = addresses.normalise(RITA).key
HASH = addresses.keyed_hash(KEY)
Act = Callable[[Subscription, User | None, datetime], Any]


def lift(_rita: Subscription, actor: User | None, now: datetime) -> None:
    suppression.suppress(address_key=KEY, reason=Suppression.Reason.MANUAL, actor=None, now=now)
    suppression.lift(address_hash=HASH, actor=actor, now=now)


def publish(_rita: Subscription, actor: User | None, now: datetime) -> None:
    document = LegalVersion.objects.earliest("pk").document
    legal.publish_version(version=legal.draft(document=document, body_markdown="New.", now=now), actor=actor, now=now)


# Act -> how it is done, its action, the kind of its object, and what else the log tells.
ACTS: dict[str, tuple[Act, AuditAction, str, dict[str, Any]]] = {
    "unsubscribe": (
        lambda rita, actor, now: signup.unsubscribe(
            subscription=rita, evidence=evidence(), reason="admin", actor=actor, now=now
        ),
        AuditAction.READER_UNSUBSCRIBED, "subscribers.subscriber", {"newsletter": "tech-news"},
    ),
    "erase": (
        lambda _rita, actor, now: erasure.erase(address_key=KEY, evidence=evidence(), actor=actor, now=now),
        AuditAction.READER_ERASED, "subscribers.subscriber", {"source": "form", "acts": 3},
    ),
    "evidence": (
        lambda _rita, actor, now: proofs.of(address=RITA, actor=actor, now=now),
        AuditAction.READER_EXPORTED, "subscribers.subscriber", {"acts": 2},
    ),
    "suppress": (
        lambda _rita, actor, now: suppression.suppress(
            address_key=KEY, reason=Suppression.Reason.MANUAL, actor=actor, now=now
        ),
        AuditAction.ADDRESS_SUPPRESSED, "subscribers.suppression", {"reason": "manual"},
    ),
    "lift": (lift, AuditAction.SUPPRESSION_LIFTED, "subscribers.suppression", {"reason": "manual", "note": ""}),
    "legal text": (publish, AuditAction.LEGAL_TEXT_PUBLISHED, "subscribers.legalversion", {"sha256": ...}),
}  # fmt: skip


@rows("name", ACTS)
def test_an_act_is_recorded_without_an_address(rita: Subscription, admin_user: User, name: str) -> None:
    act, action, kind, detail = ACTS[name]
    act(rita, admin_user, timezone.now())
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_id, event.object_type) == (action, admin_user.pk, kind)
    assert event.object_id
    assert event.detail == {key: event.detail.get(key) if value is ... else value for key, value in detail.items()}
    assert RITA not in str(AuditEvent.objects.values_list())
    assert len(list(audit.links())) == AuditEvent.objects.count()


def test_what_readers_do_and_acts_without_effect_leave_nothing(rita: Subscription, admin_user: User) -> None:
    now, before = timezone.now(), AuditEvent.objects.count()
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="link", now=now)
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="admin", actor=admin_user, now=now)
    suppression.lift(address_hash=HASH, actor=admin_user, now=now)
    with pytest.raises(legal.AlreadyPublished):
        legal.publish_version(version=LegalVersion.objects.earliest("pk"), actor=admin_user, now=now)
    queue.release(newsletter=rita.newsletter, per_hour=60, actor=admin_user, now=now)
    assert AuditEvent.objects.count() == before


def change(client: Client, page: str, **changed: str) -> int:
    """Save the form of this page as it is shown but for what is changed."""
    context = client.get(page).context
    form = context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    data: dict[str, Any] = {name: value for name, value in shown.items() if value or str(value) == "0"}
    for inline in context["inline_admin_formsets"]:
        data |= {f"{inline.formset.prefix}-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    return client.post(page, {**data, **changed}).status_code


def test_a_change_is_recorded_with_before_and_after_and_the_sender_apart(publisher_page: tuple[Client, str]) -> None:
    client, page = publisher_page
    assert change(client, page, name="Tech", sender_address="tech@blocknews.example") == 302
    sender, rest = AuditEvent.objects.order_by("-pk")[:2][::-1]
    assert (sender.action, sender.detail) == (
        AuditAction.SENDER_CHANGED, {"changed": {"sender_address": ["", "tech@blocknews.example"]}},
    )  # fmt: skip
    assert (rest.action, rest.detail) == (
        AuditAction.NEWSLETTER_CHANGED, {"changed": {"name": ["Tech News", "Tech"]}},
    )  # fmt: skip
    before = AuditEvent.objects.count()
    assert change(client, page) == 302
    assert change(client, page, sender_address="nobody") == 200
    assert AuditEvent.objects.count() == before


def test_the_sender_of_the_publication_too(publisher_page: tuple[Client, str]) -> None:
    client, _page = publisher_page
    page = "/admin/publication/publication/1/change/"
    assert change(client, page, sender_address="desk@blocknews.example", strapline="News") == 302
    actions = AuditEvent.objects.order_by("-pk").values_list("action", flat=True)[:2]
    assert list(actions) == [AuditAction.PUBLICATION_CHANGED, AuditAction.SENDER_CHANGED]


def test_an_editor_changes_no_sender(publisher_page: tuple[Client, str]) -> None:
    page = publisher_page[1]
    client = signed_in(account("edda", groups.EDITOR))
    assert change(client, page, name="Tech", sender_address="phisher@elsewhere.net") == 302
    assert AuditEvent.objects.latest("pk").detail == {"changed": {"name": ["Tech News", "Tech"]}}


@pytest.fixture
def publisher_page(publication: object) -> tuple[Client, str]:
    """A browser of Paul, a publisher, and the page of Tech News."""
    newsletter = make_newsletter()
    newsletter.offers.all().delete()
    return signed_in(account("paul", groups.PUBLISHER)), f"/admin/subscribers/newsletter/{newsletter.pk}/change/"


def test_a_sender_is_changed_only_by_somebody_who_proved_who_they_are(publisher_page: tuple[Client, str]) -> None:
    client, page = publisher_page
    session = client.session
    session["proved_at"] = 0.0
    session.save()
    before = AuditEvent.objects.count()
    change(client, page, sender_address="tech@blocknews.example")
    assert AuditEvent.objects.count() == before
    assert change(client, page, name="Tech") == 302
    assert AuditEvent.objects.count() == before + 1
