"""Issues, their items, snapshots, deliveries and delivery events."""

from __future__ import annotations

import uuid
from typing import ClassVar, TypeAlias

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digests import delivery_reasons, issue_guards, issue_readers, issue_reasons, states
from digests.item_model import IssueItem as IssueItem
from digests.link_counts import LinkCount as LinkCount
from digests.preflight_record import Preflight as Preflight
from digests.reply_model import Reply as Reply
from digests.snapshot_models import Frozen as Frozen
from digests.snapshot_models import Snapshot as Snapshot
from digests.snapshot_models import Variant as Variant
from digests.states import DeliveryState, IssueState
from mailkit import message
from publication import fields
from publication.translated import Translated
from subscribers.models import Cadence, Newsletter, Segment, Subscriber


class IssueQuerySet(models.QuerySet["Issue"]):
    """Queries over issues."""

    def public(self) -> IssueQuerySet:
        """Issues in the archive: frozen, numbered, and being sent or sent; none that went out in place of another."""
        return self.filter(
            instead_of__isnull=True,
            number__isnull=False,
            state__in=states.SHOWN,
        )

    def listed(self) -> IssueQuerySet:
        """Public issues in the lists of the archive: not the letters to a segment, whose readers have the address."""
        return self.public().filter(segment__isnull=True)

    def under_way(self) -> IssueQuerySet:
        """Issues whose copies may be claimed."""
        return self.filter(state=Issue.State.SENDING)


class Issue(issue_readers.HasReaders, Translated):
    """One mailing of a newsletter. Its state changes only through `composing`, `approval` and the engine."""

    class Kind(models.TextChoices):
        DIGEST = "digest", _("Digest")
        ARTICLE = "article", _("Article")
        LETTER = "letter", _("Letter")

    State: TypeAlias = IssueState
    TRANSLATED = ("subject", "preheader", "introduction", "sponsor")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    newsletter = models.ForeignKey(Newsletter, on_delete=models.PROTECT, related_name="issues")
    kind = fields.CharField(max_length=8, choices=Kind.choices, default=Kind.LETTER, editable=False)
    cadence = fields.CharField(max_length=20, choices=Cadence.choices, blank=True, editable=False)
    # The key of its scheduled run (2026-11-22, 2026-W47, article-17; empty for letters), and when that was due.
    period_key = fields.CharField(max_length=40, blank=True, editable=False)
    runs_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Its number in the archive, assigned when it is frozen.
    number = models.PositiveIntegerField(null=True, blank=True, editable=False)
    window_start = models.DateTimeField(null=True, blank=True, editable=False)
    window_end = models.DateTimeField(null=True, blank=True, editable=False)
    subject = fields.CharField(
        max_length=200,
        blank=True,
        validators=[message.validate_header_text],
        help_text=_("Empty: the headline of the first story."),
    )
    preheader = fields.CharField(
        max_length=200,
        blank=True,
        validators=[message.validate_header_text],
        help_text=_("The line that inboxes show after the subject. Empty: the next headlines."),
    )
    introduction = fields.TextField(
        blank=True, help_text=_("Markdown. It goes above the stories; in a letter it is the whole text.")
    )
    sponsor = fields.CharField(
        max_length=200, blank=True, help_text=_("One line, labelled as an advertisement. Empty: none.")
    )
    state = fields.CharField(max_length=20, choices=State.choices, default=State.DRAFT, editable=False)
    state_reason = fields.CharField(max_length=32, blank=True, editable=False, choices=issue_reasons.choices)
    state_reason_parameters = models.JSONField(null=True, blank=True, editable=False)
    scheduled_for = models.DateTimeField(
        null=True, blank=True, help_text=_("When it leaves once approved. Empty: at once.")
    )
    # A scheduled digest of a newsletter with automatic approval: the tick approves it.
    approves_itself = models.BooleanField(default=False, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Who made it or changed its content last, everybody who ever did, and who asked for a second person: none of them
    # may approve it then.
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    editors = models.ManyToManyField(settings.AUTH_USER_MODEL, editable=False, related_name="+")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    planned_at = models.DateTimeField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    audience_count = models.PositiveIntegerField(null=True, blank=True, editable=False)
    # When a person had the rest of it sent after a cancellation: its time counts from then on. Until its cancelled
    # copies are all pending again, `rest_waits`.
    rest_at = models.DateTimeField(null=True, blank=True, editable=False)
    rest_waits = models.BooleanField(default=False, editable=False)
    # The issue that this letter corrects: it goes to those who got that one, and to nobody else.
    corrects = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="corrections"
    )
    # The segment of the newsletter's readers to whom this letter goes, and nobody else.
    segment = models.ForeignKey(
        Segment, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="letters"
    )
    # The issue in place of which some readers get this one, with the stories of it that they should have and have not.
    instead_of = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.CASCADE, related_name="catch_ups"
    )
    # Its copies' ids are greater than the first and at most the second: a lane walks over these rows only.
    copies_after = models.BigIntegerField(default=0, editable=False)
    copies_until = models.BigIntegerField(default=0, editable=False)
    # The partition to which its copies were moved after its end; empty while they are where the engine works.
    deliveries_month = models.DateField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Issue]] = IssueQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = issue_guards.CONSTRAINTS
        indexes = issue_guards.INDEXES
        permissions = [("send_issue", "Can approve, send, pause, resume and cancel issues")]

    def __str__(self) -> str:
        # The key of a digest by hand is an instant; its day is enough for a person.
        return self.subject or f"{self.newsletter} {self.period_key.partition('T')[0]}".strip()

    def get_absolute_url(self) -> str:
        """The frozen issue in the archive. Only an issue with a number has one."""
        return reverse("issue", args=[self.newsletter.slug, self.number])

    @property
    def reason_sentence(self) -> str:
        """The reason of its state as a sentence; empty without a reason."""
        return issue_reasons.CATALOGUE.sentence(self.state_reason, self.state_reason_parameters)


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """What may be said of copies."""

    def under_way(self) -> DeliveryQuerySet:
        """Copies of issues that are being sent or ended a short while ago. No other copy is open."""
        return self.filter(month__isnull=True)


class Delivery(models.Model):
    """One copy of one issue for one subscriber. Its state changes only in `digests.sending` and `digests.feedback`.

    The table is partitioned by `month`, and its tables, indexes and foreign keys are made in SQL
    (`digests/migrations/0001_initial.py`); decisions/0065 says why. The engine works on the partition without a
    month. Some while after the end of an issue `sending.history` moves its copies to the partition of that month.
    """

    State: TypeAlias = DeliveryState
    OPEN = states.OPEN
    EXCEPTIONS = states.EXCEPTIONS

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    issue = models.ForeignKey(Issue, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    # Empty once the reader is erased; the copy still counts. The database empties it (ON DELETE SET NULL): Django
    # would read the person's copies first, and could not see those of a plan that is not committed yet.
    subscriber = models.ForeignKey(Subscriber, null=True, on_delete=models.DO_NOTHING, related_name="deliveries")
    # The key of the snapshot's variant of which it is made. NULL, which takes no byte: the snapshot itself.
    variant = fields.CharField(max_length=24, null=True, editable=False)  # type: ignore[misc]  # no other text may be NULL
    # First day of the month (UTC) in which the issue ended, once the copy was moved there.
    month = models.DateField(null=True, editable=False)
    state = fields.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    reason = fields.CharField(max_length=32, blank=True, choices=delivery_reasons.choices)
    reason_parameters = models.JSONField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Consecutive deferrals that were not the copy's own fault: `postal.backoff.SOON`.
    disturbances = models.PositiveSmallIntegerField(default=0)
    render_failures = models.PositiveSmallIntegerField(default=0)
    # Drawn from the sequence digests_fence at each claim. A lane with an older fence can settle nothing.
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    attempted_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    remote_id = fields.CharField(max_length=200, blank=True)

    objects: ClassVar[models.Manager[Delivery]] = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("deliveries")
        ordering = ["pk"]
        constraints = [
            # A copy is only planned without a month, and moving it changes neither key.
            models.UniqueConstraint(
                fields=["issue", "subscriber"], condition=Q(month__isnull=True), name="delivery_once_per_reader"
            ),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="delivery_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state__in=states.HELD) | Q(lease_until__isnull=False),
                name="delivery_held_has_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state=DeliveryState.DEFERRED.value) | Q(due_at__isnull=False),
                name="delivery_deferred_has_hour",
            ),
            models.CheckConstraint(
                condition=Q(month__isnull=True) | ~Q(state__in=states.OPEN), name="delivery_moved_is_settled"
            ),
        ]

    def __str__(self) -> str:
        return f"Copy {self.pk}: {self.get_state_display().lower()}"

    @property
    def frozen(self) -> Frozen:
        """What it is made of."""
        return self.issue.snapshot.variant(self.variant or "")

    @property
    def reason_sentence(self) -> str:
        """The reason of its state as a sentence; empty without a reason."""
        return delivery_reasons.CATALOGUE.sentence(self.reason, self.reason_parameters)


class EventKind(models.TextChoices):
    """Kinds of events about a copy that has left."""

    DELIVERED = "delivered", _("Delivered")
    SOFT_BOUNCE = "soft_bounce", _("Soft bounce")
    HARD_BOUNCE = "hard_bounce", _("Hard bounce")
    COMPLAINT = "complaint", _("Complaint")
    UNSUBSCRIBE = "unsubscribe", _("Unsubscribe")
    OPEN = "open", _("Open")
    CLICK = "click", _("Click")


class DeliveryEvent(models.Model):
    """An event that a provider or mail server reported about a copy. Stored once per provider's event id.

    An event that is not settled is due: a new one at once, one without a known copy with growing delays.
    """

    Kind: TypeAlias = EventKind

    provider = fields.CharField(max_length=40)
    event_id = fields.CharField(max_length=200)
    kind = fields.CharField(max_length=12, choices=Kind.choices)
    # The copy's, or the letter's. No foreign key: the copies' partitions are dropped as a whole (decisions/0065).
    delivery_uuid = models.UUIDField(null=True, blank=True)
    # Set once the copy is known. A click without tracking consent has only this.
    issue = models.ForeignKey(Issue, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    # These find the copy later, while the event is parked: the provider's message id and the keyed hash of the
    # mailbox, which is cleared when the event is settled.
    remote_id = fields.CharField(max_length=200, blank=True)
    address_hash = fields.CharField(max_length=64, blank=True)
    # A bounce that says that the mailbox does not exist, not something about us or our mail.
    about_mailbox = models.BooleanField(default=False)
    # A bounce after which the server does not try again. A delay is not one.
    gave_up = models.BooleanField(default=False)
    description = fields.CharField(max_length=300, blank=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    # When it is processed next, until it is settled.
    due_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="delivery_event_once"),
            models.CheckConstraint(condition=Q(kind__in=EventKind.values), name="delivery_event_kind_is_known"),
        ]
        indexes = [
            # feedback.processing: due events.
            models.Index("due_at", condition=Q(settled_at__isnull=True), name="event_due"),
            # feedback.ingestion: how much has come back about one copy; feedback.soft_bounces: what was said of it.
            models.Index("delivery_uuid", condition=Q(delivery_uuid__isnull=False), name="event_of_copy"),
            # sending.history: what is older than RETENTION_DAYS.
            BrinIndex(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.occurred_at:%Y-%m-%d %H:%M} UTC"


class IssueOutcome(models.Model):
    """How many copies of a closed issue and one variant ended in one state for one reason.

    Written by `issue_outcomes` only.
    """

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="outcomes", db_index=False)
    state = fields.CharField(max_length=16, choices=DeliveryState.choices)
    reason = fields.CharField(max_length=32, blank=True, choices=delivery_reasons.choices)
    # As `Delivery.variant`; empty: the snapshot itself.
    variant = fields.CharField(max_length=24, blank=True)
    copies = models.PositiveIntegerField()

    class Meta:
        # Its index is also that of the foreign key, and serves `stats`.
        constraints = [
            models.UniqueConstraint(fields=["issue", "state", "reason", "variant"], name="issue_outcome_once")
        ]

    def __str__(self) -> str:
        return f"{self.copies} {self.get_state_display().lower()}"


class IssueEventCount(models.Model):
    """How many events of one kind were recorded about an issue's copies. Written by `issue_outcomes` only."""

    issue = models.ForeignKey(Issue, on_delete=models.CASCADE, related_name="event_counts", db_index=False)
    kind = fields.CharField(max_length=12, choices=EventKind.choices)
    events = models.PositiveIntegerField()

    class Meta:
        # As above.
        constraints = [models.UniqueConstraint(fields=["issue", "kind"], name="issue_event_count_once")]

    def __str__(self) -> str:
        return f"{self.events} {self.get_kind_display().lower()}"
