"""Segments: the readers of a newsletter who meet all of some conditions, asked of their rows each time.

Conditions are about what readers chose or said. `mailable` decides who of them gets a letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions, segment_fields
from subscribers.models import Newsletter, Segment, Subscription, SubscriptionQuerySet
from subscribers.segment_fields import OPS, Op

VIEW: Final = "subscribers.view_segment"
RIGHT: Final = "subscribers.change_segment"
# As decisions/0108 has it: nobody decides by how many more there are, and to count them all takes seconds.
MOST_COUNTED: Final = 10_000
MOST_CONDITIONS: Final = 12


class Unusable(ValueError):
    """These conditions, or this name, make no segment; str() is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One line: field, comparison, value."""

    field: str
    op: str
    value: str

    def in_words(self, newsletter: Newsletter) -> str:
        """As a person reads it: “Language is Русский”."""
        field = segment_fields.get(self.field)
        if field is None or self.op not in OPS:
            return f"{self.field} {self.op} {self.value}"
        return f"{field.label} {OPS[self.op]} {segment_fields.in_words(field, newsletter, self.value)}"


@dataclass(frozen=True, slots=True)
class Number:
    """How many readers, MOST_COUNTED at most."""

    readers: int
    is_more: bool = False


def conditions(stored: Iterable[Mapping[str, Any]]) -> list[Condition]:
    """The conditions as rows and audience rules hold them."""
    return [Condition(str(one["field"]), str(one["op"]), str(one["value"])) for one in stored]


def check(*, newsletter: Newsletter, lines: Sequence[Condition], user: AbstractBaseUser | None = None) -> None:
    """Return if each line can be asked. With a user: if it asks for nothing beyond this person's newsletters.

    On failure: Unusable.
    """
    if not lines:
        raise Unusable(_("Choose at least one condition. Without any the segment is the whole newsletter."))
    if len(lines) > MOST_CONDITIONS:
        raise Unusable(_("A segment has at most %(most)s conditions.") % {"most": MOST_CONDITIONS})
    for line in lines:
        field = segment_fields.get(line.field)
        if field is None or line.op not in field.ops:
            raise Unusable(_("One of the conditions cannot be asked."))
        allowed = offered(newsletter=newsletter, name=line.field, user=user)
        known = segment_fields.is_day(line.value) if allowed is None else line.value in dict(allowed)
        if not known:
            raise Unusable(_("Choose a value for “%(field)s”.") % {"field": field.label})


def offered(*, newsletter: Newsletter, name: str, user: AbstractBaseUser | None) -> segment_fields.Choices | None:
    """The values of a field that this person may ask for; None where it is a day."""
    field = segment_fields.get(name)
    if field is None or field.choices is None:
        return None
    values = field.choices(newsletter)
    if name != "newsletter":
        return values
    mine = permissions.of_newsletters(Newsletter.objects.all(), user=user, field="pk")
    allowed = {str(pk) for pk in mine.values_list("pk", flat=True)}
    return [(value, label) for value, label in values if value in allowed]


def among(*, newsletter: Newsletter, lines: Sequence[Condition]) -> SubscriptionQuerySet:
    """The subscriptions to the newsletter that meet every line, in any state: `mailable` is the caller's to ask.

    A line that cannot be asked any more is met by nobody, so a rule that was broken widens no audience.
    """
    rows = Subscription.objects.filter(newsletter=newsletter)
    for line in lines:
        field = segment_fields.get(line.field)
        if field is None or line.op not in field.ops:
            return rows.none()
        rows = rows.filter(field.holds(newsletter, Op(line.op), line.value))
    return rows if lines else rows.none()


def readers(*, segment: Segment) -> SubscriptionQuerySet:
    """As `among`, of a segment as it is saved now."""
    return among(newsletter=segment.newsletter, lines=conditions(segment.conditions))


def count(*, newsletter: Newsletter, lines: Sequence[Condition]) -> Number:
    """How many of them are confirmed, by one statement that stops at MOST_COUNTED.

    Who of these may be mailed is asked for a letter, where it matters: of half a million readers it takes seconds.
    """
    rows = among(newsletter=newsletter, lines=lines).confirmed().order_by()
    number = rows[: MOST_COUNTED + 1].count()
    return Number(min(number, MOST_COUNTED), number > MOST_COUNTED)


def seen(*, user: AbstractBaseUser | None) -> Any:
    """The segments of this person's newsletters."""
    rows = Segment.objects.select_related("newsletter", "changed_by")
    return permissions.of_newsletters(rows, user=user, field="newsletter").order_by("newsletter__name", "name")


@transaction.atomic
def save(
    *, newsletter: Newsletter, name: str, lines: Sequence[Condition], actor: AbstractBaseUser | None, now: datetime,
    segment: Segment | None = None,
) -> Segment:  # fmt: skip
    """Make a segment, or change this one; the audit log has its conditions.

    Drafts of letters to it follow. What was approved does not: it holds the conditions of then.
    On failure: Unusable, PermissionDenied.
    """
    permissions.require(RIGHT, user=actor, newsletter=newsletter.pk)
    check(newsletter=newsletter, lines=lines, user=actor)
    row = segment or Segment(newsletter=newsletter, created_by_id=actor.pk if actor else None, created_at=now)
    if row.newsletter_id != newsletter.pk:
        raise Unusable(_("A segment keeps its newsletter."))
    row.name, row.conditions = " ".join(name.split()), [asdict(line) for line in lines]
    row.changed_by_id, row.changed_at = actor.pk if actor else None, now
    if not row.name:
        raise Unusable(_("Give it a name."))
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Unusable(_("Another segment of this newsletter has this name.")) from error
    audit.record(
        action=AuditAction.SEGMENT_SAVED, actor=actor, target=row, now=now,
        newsletter=newsletter.name, conditions=[line.in_words(newsletter) for line in lines],
    )  # fmt: skip
    return row


@transaction.atomic
def delete(*, segment: Segment, actor: AbstractBaseUser | None, now: datetime) -> None:
    """Delete it. One that a letter was written to stays, so that its page can say to whom. On failure: Unusable."""
    permissions.require(RIGHT, user=actor, newsletter=segment.newsletter_id)
    pk = segment.pk
    try:
        with transaction.atomic():
            segment.delete()
    except ProtectedError as error:
        raise Unusable(_("A letter was written to this segment, so it stays.")) from error
    segment.pk = pk
    audit.record(action=AuditAction.SEGMENT_DELETED, actor=actor, target=segment, now=now)
