"""Import rows that say no: they end existing subscriptions and block every later import."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from mailkit import addresses
from subscribers import consent, signup, suppression, withdrawals
from subscribers.import_columns import Verdict
from subscribers.import_words import Status
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Subscription, Suppression

# What must never be mailed again, no matter who asks; the others may come back by their own act.
SUPPRESSED = {
    Status.BOUNCED: Suppression.Reason.HARD_BOUNCE,
    Status.COMPLAINED: Suppression.Reason.COMPLAINT,
    Status.BLOCKED: Suppression.Reason.MANUAL,
    Status.DELETED: Suppression.Reason.ERASED,
}
ENDS = frozenset({Status.LEFT, Status.NEVER, Status.UNREACHED, Status.DELETED})
LONGEST_SHOWN = 30  # characters
# A yes that is missing elsewhere takes nothing away that a reader has asked for here.
MISSING_YES = frozenset({Status.NEVER, Status.UNREACHED})
OUTRANKED = " What this reader did here themselves counts more, so nothing was changed."


class Row(Protocol):
    """A record of the file."""

    @property
    def line(self) -> int:
        """Where it begins."""

    @property
    def address(self) -> addresses.Address:
        """Whose it is."""

    @property
    def verdict(self) -> Verdict:
        """What it says."""


def reason(verdict: Verdict) -> str:
    """A sentence for the report, with the column that says it. Times are left out, so that few sentences differ."""
    shown = "" if len(verdict.value) > LONGEST_SHOWN or any(map(str.isdigit, verdict.value[1:])) else verdict.value
    return _sentence(verdict, f"“{shown}”" if shown else "filled" if verdict.value else "empty")


def _basis(verdict: Verdict) -> str:
    """The same with all that the cell says, for the consent record."""
    return _sentence(verdict, f"“{verdict.value}”" if verdict.value else "empty")


def _sentence(verdict: Verdict, value: str) -> str:
    if not verdict.column:
        return f"It was said of everybody in this file: this reader {verdict.status.value}."
    return f"According to the column “{verdict.column}” ({value}) this reader {verdict.status.value}."


def take(rows: Sequence[Row], newsletter: Newsletter, *, source: str, now: datetime) -> dict[str, str]:
    """Keep the "no" of each row; returns address key -> the sentence for the report.

    Must run inside a transaction. Subscriptions to the newsletter end, without a letter; bounces,
    complaints, blocks and deletions are suppressed; who is no reader here is kept by hash alone.
    A reader who confirmed here after the time that the row names stays; so does one who asked or confirmed
    here at any time, where the row only lacks a yes.
    """
    by_key = {row.address.key: row for row in sorted(rows, key=lambda row: row.line, reverse=True)}
    # In the order in which the engine locks readers.
    subscribers = Subscriber.objects.select_for_update(no_key=True).filter(address_key__in=by_key).order_by("pk")
    readers = {subscriber.address_key: subscriber for subscriber in subscribers}
    stay = _confirmed_since(by_key, readers, newsletter) | _asked_here(by_key, readers, newsletter)
    verdicts = {key: row.verdict for key, row in by_key.items() if key not in stay}
    _end(verdicts, readers, newsletter, source, now)
    _suppress(verdicts, now)
    _remember(verdicts, newsletter, source, now)
    return {key: reason(row.verdict) + (OUTRANKED if key in stay else "") for key, row in by_key.items()}


def _confirmed_since(rows: dict[str, Row], readers: dict[str, Subscriber], newsletter: Newsletter) -> set[str]:
    dated = {readers[key].address_hash: key for key in readers if rows[key].verdict.since}
    acts = ConsentEvent.objects.filter(
        address_hash__in=dated, newsletter_slug=newsletter.slug, kind=ConsentEvent.Kind.CONFIRMED
    )
    stay = set()
    for address_hash, occurred_at in acts.values_list("address_hash", "occurred_at"):
        since = rows[dated[address_hash]].verdict.since
        if since and occurred_at > since:
            stay.add(dated[address_hash])
    return stay


def _asked_here(rows: dict[str, Row], readers: dict[str, Subscriber], newsletter: Newsletter) -> set[str]:
    lacking = [readers[key] for key in readers if rows[key].verdict.status in MISSING_YES]
    present = Subscription.objects.filter(newsletter=newsletter, subscriber__in=lacking)
    present = present.exclude(state=Subscription.State.UNSUBSCRIBED)
    theirs = present.exclude(consent_event__kind=ConsentEvent.Kind.IMPORTED)
    return set(theirs.values_list("subscriber__address_key", flat=True))


def _end(
    verdicts: dict[str, Verdict], readers: dict[str, Subscriber], newsletter: Newsletter, source: str, now: datetime
) -> None:
    leaving = [readers[key] for key in verdicts if key in readers and verdicts[key].status in ENDS]
    subscriptions = Subscription.objects.filter(newsletter=newsletter, subscriber__in=leaving)
    for subscription in subscriptions.exclude(state=Subscription.State.UNSUBSCRIBED).select_related("subscriber"):
        evidence = consent.Evidence(basis=_basis(verdicts[subscription.subscriber.address_key]))
        signup.unsubscribe(subscription=subscription, evidence=evidence, reason=source, now=now, goodbye=False)


def _suppress(verdicts: dict[str, Verdict], now: datetime) -> None:
    reasons = {
        addresses.keyed_hash(key): SUPPRESSED[verdict.status]
        for key, verdict in verdicts.items()
        if verdict.status in SUPPRESSED
    }
    suppression.suppress_many(reasons=reasons, note="import", now=now)


def _remember(verdicts: dict[str, Verdict], newsletter: Newsletter, source: str, now: datetime) -> None:
    reasons = {
        addresses.keyed_hash(key): _basis(verdict)
        for key, verdict in verdicts.items()
        if verdict.status not in SUPPRESSED
    }
    known = withdrawals.in_force(address_hashes=list(reasons), newsletter=newsletter)
    fresh = {address_hash: basis for address_hash, basis in reasons.items() if address_hash not in known}
    withdrawals.record(reasons=fresh, newsletter=newsletter, source=source, now=now)
