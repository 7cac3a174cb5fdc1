"""Why did she get it, or not? For one reader and one issue: one sentence, and the rows behind it.

The copy is asked first: it has its outcome and its reason. Without one, the consent record says what the reader had
agreed to when the audience was counted. What no row says any more (a pause that has ended, a suppression that was
lifted, copies that were dropped, a reader who was erased) is said to be unknown, and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from digests import consented, stats
from digests.consented import Consent
from digests.delivery_reasons import DeliveryReason
from digests.models import Delivery, DeliveryEvent, Issue
from digests.variant_keys import VariantKey
from mailkit import addresses
from publication import moments, times
from publication.languages import name_of
from subscribers import standing
from subscribers.models import ConsentEvent, PreferenceChange, Subscriber, Subscription, Suppression, Weekday

State, Copy = Issue.State, Delivery.State

# What became of a copy. Sentences about one person.
ENDS: Final = {
    Copy.PENDING: gettext_lazy("Not yet: the copy waits for its turn."),
    Copy.CLAIMED: gettext_lazy("Not yet: the copy is about to leave."),
    Copy.ATTEMPTING: gettext_lazy("The copy is on its way; the mail server has not answered yet."),
    Copy.ACCEPTED: gettext_lazy("Yes: the reader's mail server took the copy."),
    Copy.DEFERRED: gettext_lazy("Not yet: the mail server put the copy off, and it is tried again."),
    Copy.REJECTED: gettext_lazy("No: the mail server refused the copy or returned it."),
    Copy.UNCERTAIN: gettext_lazy("Nobody knows: the mail server's reply was lost, so the copy arrived or it did not."),
    Copy.SUPPRESSED: gettext_lazy("No: a copy was planned, and held back before it left."),
    Copy.CANCELLED: gettext_lazy("No: the issue was cancelled before this copy left."),
    Copy.RENDER_FAILED: gettext_lazy("No: the copy could not be built."),
    Copy.EXPIRED: gettext_lazy("No: the copy could not be delivered in time."),
}


INSTEAD: Final = gettext_lazy(
    "The copy has in place of the whole issue what the reader should have and no other copy had brought, because the "
    "reader chose weekdays or changed how the newsletter comes."
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One row behind the sentence: when, and what it says. `row` is empty for what follows from none."""

    at: datetime | None
    what: str
    row: Model | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`got`: whether the reader has the issue; None if that is unknown or still open."""

    got: bool | None
    sentence: str
    facts: tuple[Fact, ...]


def explain(*, issue: Issue, reader: Subscriber, now: datetime) -> Explanation:
    """Why this reader got the issue, or not. Nothing is changed."""
    copy = _copy(issue, reader)
    facts = _facts(issue, reader, copy)
    if copy is not None:
        return _of_copy(issue, reader, copy, facts)
    if issue.planned_at is None:
        return Explanation(False, _not_sent(issue, reader, now), facts)
    why = _left_out(issue, reader, issue.planned_at)
    if stats.is_dropped(issue):
        sentence = _(
            "That cannot be known any more: the copies of this issue were deleted after %(days)s days. %(why)s"
        ) % {"days": settings.RETENTION_DAYS, "why": why}
        return Explanation(None, sentence, facts)
    return Explanation(False, _("No. %(why)s") % {"why": why}, facts)


def explain_address(*, issue: Issue, address: str, now: datetime) -> Explanation:
    """The same for an address as a person types it, also of somebody who was erased. On failure: InvalidAddress."""
    mailbox = addresses.normalise(address)
    reader = Subscriber.objects.filter(address_key=mailbox.key).first()
    if reader is not None:
        return explain(issue=issue, reader=reader, now=now)
    address_hash = addresses.keyed_hash(mailbox.key)
    acts = [_act(event) for event in ConsentEvent.objects.filter(address_hash=address_hash).order_by("pk")]
    suppressed = [_suppressed(row) for row in Suppression.objects.filter(address_hash=address_hash)]
    erased = any(isinstance(fact.row, ConsentEvent) and fact.row.kind == ConsentEvent.Kind.ERASED for fact in acts)
    if erased:
        sentence = _(
            "That cannot be known any more: this reader was erased. If there was a copy, it is counted among those "
            "of the issue, and nothing says whose it was."
        )
    elif acts:
        sentence = _("This address is no reader's now. The consent record has what is known of it.")
    else:
        sentence = _("No: nobody with this address is a reader, and the consent record does not know it.")
    return Explanation(None if erased else False, sentence, (*acts, *suppressed))


def _copy(issue: Issue, reader: Subscriber) -> Delivery | None:
    """The reader's copy of the issue, or of the one that the reader gets in its place."""
    copies = Delivery.objects.filter(Q(issue=issue) | Q(issue__instead_of=issue), subscriber=reader)
    return copies.select_related("issue").order_by("pk").first()


def _of_copy(issue: Issue, reader: Subscriber, copy: Delivery, facts: tuple[Fact, ...]) -> Explanation:
    parts = [str(ENDS[Copy(copy.state)])]
    if copy.issue_id != issue.pk:
        parts.append(str(INSTEAD))
    if copy.state == Copy.DEFERRED and copy.reason == DeliveryReason.READERS_HOUR and copy.due_at:
        parts = [_("Not yet: it leaves at the reader's hour, %(when)s.") % {"when": moments.words(copy.due_at)}]
    elif copy.reason:
        parts.append(copy.reason_sentence)
    parts += _of_variant(VariantKey.parse(copy.variant or ""))
    if copy.state == Copy.ACCEPTED:
        events = {event.kind for event in _events(copy)}
        if DeliveryEvent.Kind.HARD_BOUNCE in events or DeliveryEvent.Kind.SOFT_BOUNCE in events:
            parts.append(_("Later it was reported as returned."))
        if DeliveryEvent.Kind.COMPLAINT in events:
            parts.append(_("The reader marked it as spam."))
    if issue.planned_at is not None:
        parts.append(_because(issue, consented.at(reader=reader, newsletter=issue.newsletter, moment=issue.planned_at)))
    got = {Copy.ACCEPTED: True, Copy.UNCERTAIN: None, **dict.fromkeys(Delivery.OPEN)}.get(Copy(copy.state), False)
    return Explanation(got, " ".join(filter(None, parts)), facts)


def _of_variant(key: VariantKey) -> Iterator[str]:
    """What of the issue the copy has for its reader's sake."""
    if key.language:
        yield _("The copy is in the reader's language: %(language)s.") % {"language": name_of(key.language)}
    if key.topics:
        yield _("The copy has the stories on the topics that the reader had chosen.")
    if key.reading:
        yield _("The copy has headlines only, as the reader or the publication chose.")
    if key.amended:
        yield _("The copy tells of corrections of stories that the reader had got.")


def _because(issue: Issue, consent: Consent) -> str:
    """What the reader had agreed to when the audience was counted."""
    if issue.corrects_id is not None:
        return _("It is a correction, for those who got the issue that it corrects.")
    if issue.segment is not None:
        return _("It is a letter to the segment “%(segment)s”, and the reader was in it.") % {"segment": issue.segment}
    if consent.event is None:
        return ""
    words = _("A copy was planned because the reader had agreed to this newsletter on %(day)s (%(how)s).")
    return words % {
        "day": _day(consent.event.occurred_at),
        "how": consented.how(event=consent.event),
    }


def _day(moment: datetime) -> str:
    return times.day(timezone.localtime(moment))


def _not_sent(issue: Issue, reader: Subscriber, now: datetime) -> str:
    if issue.state == State.CANCELLED:
        return _("No: this issue was cancelled before anything left, so nobody got it.")
    if issue.readers(now=now).filter(subscriber=reader).exists():
        return _("Not yet: this issue has not been sent. The reader would get it now.")
    return _("Not yet: this issue has not been sent. The reader would not get it now. %(why)s") % {
        "why": _left_out(issue, reader, now)
    }


def _left_out(issue: Issue, reader: Subscriber, moment: datetime) -> str:
    """Why the reader was not in the audience at this moment, as far as a row says so."""
    return next(_reasons(issue, reader, moment))


def _reasons(issue: Issue, reader: Subscriber, moment: datetime) -> Iterator[str]:
    """What is on record, the strongest first; the last one says that nothing is."""
    consent = consented.at(reader=reader, newsletter=issue.newsletter, moment=moment)
    facts: dict[str, object] = {"newsletter": issue.newsletter}
    if consent.event is None:
        if consent.later is not None:
            facts["later"] = moments.words(consent.later.occurred_at)
            yield _("The reader agreed to %(newsletter)s only on %(later)s, after the audience was counted.") % facts
        if consent.is_asked:
            yield _("The reader had asked for %(newsletter)s, and had not confirmed it.") % facts
        if consent.left_at is not None:
            facts["left"] = moments.words(consent.left_at)
            yield _("The reader had unsubscribed from %(newsletter)s on %(left)s.") % facts
        yield _("The reader had not subscribed to %(newsletter)s.") % facts
    elif issue.corrects_id is not None:
        yield _("It is a correction, and the reader did not get the issue that it corrects.")
    elif issue.segment is not None and not issue.subscriptions().filter(subscriber=reader).exists():
        yield _("It is a letter to the segment “%(segment)s”, and the reader was not in it.") % {
            "segment": issue.segment
        }
    elif issue.cadence and consent.cadence and consent.cadence != issue.cadence:
        facts |= {"chosen": consent.cadence, "cadence": issue.cadence}
        yield _(
            "The reader had chosen %(newsletter)s %(chosen)s; this issue went to those who read it %(cadence)s."
        ) % (facts)
    yield from _of_days(issue, reader)
    if consent.event is not None:
        yield from _demanded(issue, consent.event, moment)
    suppressed = Suppression.objects.filter(address_hash=reader.address_hash, created_at__lte=moment).first()
    if suppressed is not None:
        yield _("The address was not to be mailed: %(reason)s.") % {"reason": suppressed.get_reason_display().lower()}
    paused = Subscription.objects.filter(
        subscriber=reader, newsletter=issue.newsletter, paused_until__gt=moment
    ).first()
    if paused is not None and paused.paused_until is not None:
        yield _("The subscription is paused until %(day)s.") % {"day": _day(paused.paused_until)}
    yield _(
        "Nothing on record explains it. A pause that has ended since, or a block that was lifted since, would; "
        "neither leaves a row."
    )


def _of_days(issue: Issue, reader: Subscriber) -> Iterator[str]:
    """A reader's weekdays, and a change of how it comes."""
    elsewise = Subscription.objects.filter(subscriber=reader, newsletter=issue.newsletter, cadence=issue.cadence)
    if issue.cadence and (own := elsewise.first()) is not None and own.days:
        days = ", ".join(str(Weekday(int(day)).label) for day in own.days)
        yield _("The reader wants the daily digest on these days only: %(days)s.") % {"days": days}
    if elsewise.filter(out_of_step_since__isnull=False).exists():
        yield _(
            "The reader changed how the newsletter comes: the next issue brings what no copy has brought, and this one "
            "has nothing of that."
        )


def _demanded(issue: Issue, yes: ConsentEvent, moment: datetime) -> Iterator[str]:
    """Each legal text that the newsletter demanded, and that this yes was not given to."""
    for demand in standing.unmet(newsletter=issue.newsletter, documents=yes.documents, moment=moment):
        facts = {
            "newsletter": issue.newsletter,
            "title": demand.version.document.title,
            "number": demand.version.number,
        }
        yield (
            _("%(newsletter)s demands version %(number)s of “%(title)s”, and the reader had not agreed to it.") % facts
        )


def _facts(issue: Issue, reader: Subscriber, copy: Delivery | None) -> tuple[Fact, ...]:
    """The rows, in the order in which they came to be."""
    acts = ConsentEvent.objects.filter(subscriber_uuid=reader.uuid).order_by("pk")
    facts = [_act(event) for event in acts if event.newsletter_slug in {"", *consented.slugs(issue.newsletter)}]
    facts += [_suppressed(row) for row in Suppression.objects.filter(address_hash=reader.address_hash)]
    changes = PreferenceChange.objects.filter(
        subscription__subscriber=reader, subscription__newsletter=issue.newsletter
    ).select_related("topics")
    facts += [Fact(row.changed_at, _chose(row), row) for row in changes]
    if issue.planned_at:
        facts.append(Fact(issue.planned_at, _("The audience of this issue was counted."), issue))
    if copy is not None:
        facts += [Fact(copy.attempted_at, _("The copy was handed over."), copy)] * bool(copy.attempted_at)
        ended = f"{copy.get_state_display()}. {copy.reason_sentence}".strip()
        facts.append(Fact(copy.settled_at, _("The copy: %(state)s") % {"state": ended}, copy))
        facts += [
            Fact(event.occurred_at, f"{event.get_kind_display()} ({event.provider})", event) for event in _events(copy)
        ]
    last = max((fact.at for fact in facts if fact.at), default=None)
    return tuple(sorted(facts, key=lambda fact: fact.at or last or issue.created_at))


def _events(copy: Delivery) -> list[DeliveryEvent]:
    return list(DeliveryEvent.objects.filter(delivery_uuid=copy.uuid).order_by("occurred_at"))


def _act(event: ConsentEvent) -> Fact:
    parts = filter(None, [event.get_kind_display(), event.newsletter_slug, event.cadence, event.source])
    return Fact(event.occurred_at, ", ".join(parts), event)


def _chose(row: PreferenceChange) -> str:
    topics = str(row.topics) if row.topics else _("all topics")
    chosen = [topics, *([row.get_format_display()] if row.format else [])]
    return _("The reader chose: %(chosen)s") % {"chosen": ", ".join(chosen)}


def _suppressed(row: Suppression) -> Fact:
    return Fact(row.created_at, _("Not to be mailed: %(reason)s") % {"reason": row.get_reason_display()}, row)
