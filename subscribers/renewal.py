"""Readers are asked by letter to agree to a newer legal text, and agree on the page behind its link.

The letters are the queue: one row for each reader and version, written at once, sent evenly. Agreeing is one more
yes to each newsletter, with the texts and the sentence that were shown, and the subscription then names that act.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Count, Max, Q
from django.utils.safestring import SafeString

from core import database_clock
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import consent, demands, differences, links, permissions, standing, states, terms
from subscribers.letters import queue
from subscribers.models import (
    ConsentEvent,
    LegalVersion,
    Letter,
    Newsletter,
    Subscriber,
    Subscription,
    SubscriptionQuerySet,
)

SOURCE: Final = "renewal"
PER_HOUR: Final = 10_000
HEADING: Final = re.compile(r"^#{1,6} +", re.MULTILINE)
# Two presses at once write one letter for each reader: the second finds the rows of the first.
WRITE = """
INSERT INTO subscribers_letter (uuid, kind, subscriber_id, version_id, state, reason, attempts, due_at, created_at)
SELECT gen_random_uuid(), %s, reader.id, %s, 'pending', '', 0, reader.due_at, reader.due_at
FROM (
    SELECT id, %s::timestamptz + (row_number() OVER (ORDER BY id) - 1) * %s * interval '1 second' AS due_at
    FROM ({readers}) AS asked (id)
) AS reader
ON CONFLICT (version_id, subscriber_id) WHERE version_id IS NOT NULL DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Of the readers of a newsletter: how many are to be asked for a version, and what became of the letters."""

    to_ask: int
    waiting: int
    sent: int
    failed: int


@dataclass(frozen=True, slots=True)
class Change:
    """A text that the reader has not agreed to. `parts`: the paragraphs that changed since theirs."""

    version: LegalVersion
    parts: list[SafeString]


@dataclass(frozen=True, slots=True)
class Question:
    """What one reader is asked: the sentence, the texts that are new, and the newsletters that it is about."""

    subscriber: Subscriber
    terms: terms.Terms
    changes: tuple[Change, ...]
    subscriptions: tuple[Subscription, ...]


def asked(*, newsletter: Newsletter, version: LegalVersion) -> Asked:
    """How far the asking is."""
    letters = Letter.objects.filter(version=version, subscriber__subscriptions__newsletter=newsletter)
    counts: dict[str, int] = letters.aggregate(
        waiting=Count("pk", filter=Q(state__in=states.WAITING)),
        sent=Count("pk", filter=Q(state=Letter.State.SENT)),
        failed=Count("pk", filter=Q(state__in=states.FAILED)),
    )
    return Asked(to_ask=_to_ask(newsletter, version).count(), **counts)


def ask(
    *, newsletter: Newsletter, version: LegalVersion, actor: AbstractBaseUser | None, now: datetime
) -> queue.Schedule:
    """Write one letter to each reader of the newsletter who agreed to an older version, or to none.

    A reader who was asked for this version before, for whichever newsletter, is not asked again; who wants no mail for
    a while is, for it is about whether mail may come at all. After: the letters leave evenly, `PER_HOUR`.
    On failure: CannotDemand, where readers of a language are not shown the version; nobody is asked then.
    """
    permissions.require(permissions.PUBLISH_TEXT, user=actor, newsletter=newsletter.pk)
    demands.check(version=version)
    apart = timedelta(hours=1) / PER_HOUR
    with transaction.atomic():
        now = database_clock.not_ahead(moment=now)
        waiting = Letter.objects.filter(kind=Letter.Kind.RENEWAL, state=Letter.State.PENDING, attempts=0)
        last = waiting.aggregate(last=Max("due_at"))["last"]
        first_at = max(now, last + apart) if last else now
        readers, parameters = _to_ask(newsletter, version).values("subscriber_id").query.sql_with_params()
        with connection.cursor() as cursor:
            # The subquery is the ORM's own SQL; every value in it is a parameter.
            values = [Letter.Kind.RENEWAL.value, version.pk, first_at, apart.total_seconds(), *parameters]
            cursor.execute(WRITE.format(readers=readers), values)
            count = cursor.rowcount
        audit.record(
            action=AuditAction.READERS_ASKED, actor=actor, target=newsletter, now=now,
            document=version.document.slug, version=version.number, letters=count,
        )  # fmt: skip
    return queue.Schedule(count=count, first_at=first_at, last_at=first_at + apart * max(count - 1, 0))


def look(*, token: str) -> Question:
    """What the holder of this link is asked, in the language of the page. On failure: LinkRefused."""
    return question(subscriber=links.read_agree(token))


def question(*, subscriber: Subscriber) -> Question:
    """What the reader has not agreed to of the texts that are shown today; no subscriptions when there is nothing."""
    shown, public = terms.current(), standing.public_versions()
    rows = subscriber.subscriptions.confirmed().proved().select_related("newsletter", "consent_event")
    new = {row: _new(row, shown.versions, public) for row in rows.order_by("newsletter__position", "pk")}
    behind = tuple(row for row in new if new[row])
    changed = {version for versions in new.values() for version in versions}
    changes = (_change(version, behind, public) for version in shown.versions if version in changed)
    return Question(subscriber, shown, tuple(changes), behind)


def agree(*, token: str, terms_token: str, evidence: consent.Evidence, now: datetime) -> Question:
    """Note that the reader agrees to the texts that the page showed; return what was agreed to.

    After: each subscription that was behind names an act with these texts, and is mailed again if only that was in the
    way. A second press changes nothing. On failure: LinkRefused; FormRefused, where other texts are shown by now.
    """
    reader = links.read_agree(token)
    with transaction.atomic():
        locked = Subscriber.objects.select_for_update(no_key=True).get(pk=reader.pk)
        answered = question(subscriber=locked)
        if answered.subscriptions:
            terms.check(token=terms_token, terms=answered.terms, now=now)
            _record(answered, evidence, now)
    return answered


def _record(answered: Question, evidence: consent.Evidence, now: datetime) -> None:
    acts = [
        consent.Act(
            kind=ConsentEvent.Kind.CONFIRMED,
            subscriber_uuid=answered.subscriber.uuid,
            address_hash=answered.subscriber.address_hash,
            newsletter_slug=row.newsletter.slug,
            cadence=row.cadence,
        )
        for row in answered.subscriptions
    ]
    for row, event in zip(answered.subscriptions, consent.append(acts=acts, evidence=evidence, now=now), strict=True):
        row.consent_event = event
        row.save(update_fields=["consent_event"])


def _to_ask(newsletter: Newsletter, version: LegalVersion) -> SubscriptionQuerySet:
    theirs = Subscription.objects.filter(newsletter=newsletter).reachable().below(version=version).order_by()
    return theirs.exclude(subscriber__letters__version=version)


def _new(row: Subscription, shown: Sequence[LegalVersion], public: Sequence[LegalVersion]) -> list[LegalVersion]:
    """Of the texts that are shown, those of which the act that allows mail names none as new."""
    agreed = {version: _agreed(row, version, public) for version in shown}
    return [version for version, theirs in agreed.items() if theirs is None or theirs.edition < version.edition]


def _agreed(row: Subscription, version: LegalVersion, public: Sequence[LegalVersion]) -> LegalVersion | None:
    """The newest version of the same document that the act names which allows mail."""
    documents = row.consent_event.documents if row.consent_event else []
    return standing.agreed(documents, document=version.document, versions=public)


def _change(version: LegalVersion, rows: Sequence[Subscription], public: Sequence[LegalVersion]) -> Change:
    before = [agreed for row in rows if (agreed := _agreed(row, version, public))]
    present = max(before, key=lambda one: one.edition, default=None)
    if present is None or present.language != version.language:
        return Change(version, [])
    return Change(version, differences.in_short(_words(present), _words(version)))


def _words(version: LegalVersion) -> str:
    """The text as it was written, with headings as plain lines."""
    return HEADING.sub("", version.body_markdown)
