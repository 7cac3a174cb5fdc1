"""The models of subscribers: newsletters, subscriptions, consent events, suppressions, letters."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import ClassVar, TypeAlias

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailkit import message
from publication import fields
from publication.formats import Format
from publication.models import validate_time_zone
from subscribers import demand_model, guards, letter_reasons, states
from subscribers.address_change_model import AddressChange as AddressChange
from subscribers.cadences import Cadence as Cadence
from subscribers.cadences import Weekday as Weekday
from subscribers.demand_model import Demand as Demand
from subscribers.effort_model import SpentEffort as SpentEffort
from subscribers.import_checkpoint_model import ImportCheckpoint as ImportCheckpoint
from subscribers.import_checkpoint_model import ImportRefusals as ImportRefusals
from subscribers.import_job import ImportJob as ImportJob
from subscribers.leaving_model import LeavingCount as LeavingCount
from subscribers.leaving_model import LeavingReason as LeavingReason
from subscribers.legal_models import LegalDocument as LegalDocument
from subscribers.legal_models import LegalVersion as LegalVersion
from subscribers.newsletters import CadenceOffer as CadenceOffer
from subscribers.newsletters import Newsletter as Newsletter
from subscribers.reduction_model import ReducedSubscription as ReducedSubscription
from subscribers.reduction_model import Reduction as Reduction
from subscribers.reminder_model import Reminder as Reminder
from subscribers.segment_model import Segment as Segment
from subscribers.states import LetterState, SubscriptionState
from subscribers.topic_models import PreferenceChange as PreferenceChange
from subscribers.topic_models import TopicChoice as TopicChoice
from subscribers.welcome_model import WelcomeLetter as WelcomeLetter


class Subscriber(models.Model):
    """One mailbox. Erasing a person deletes the row; what must stay is keyed by `address_hash`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    address = fields.CharField(max_length=254)
    address_key = fields.CharField(max_length=254, unique=True, editable=False)
    address_hash = fields.CharField(max_length=64, db_index=True, editable=False)
    name = fields.CharField(max_length=120, blank=True, validators=[message.validate_header_text])
    # Of the page on which they signed up; empty: the publication's. Letters and their pages are in it.
    language = fields.CharField(max_length=12, blank=True)
    # Where they are; empty: where the newsletter is. Digests come at `mail_hour` there (empty: at the newsletter's own
    # hour), and stories at once not from `quiet_from` to `quiet_until`.
    time_zone = fields.CharField(max_length=64, blank=True, db_default="", validators=[validate_time_zone])
    mail_hour = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_from = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_until = models.PositiveSmallIntegerField(null=True, blank=True)
    token_version = models.PositiveIntegerField(default=1, editable=False)
    # Somebody of the team said so of the mailbox: earlier bounces no longer count against it.
    bounces_since = models.DateTimeField(null=True, blank=True, editable=False)
    tracking_consent = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = guards.OF_READERS
        indexes = guards.INDEXES_OF_READERS

    def __str__(self) -> str:
        return self.address

    @property
    def audit_name(self) -> str:
        """How the audit log, which outlives an erasure, names a reader."""
        return f"reader {self.pk}"


class ConsentEvent(models.Model):
    """Append-only record of one act. Each row's hash covers the row before; triggers refuse changes.

    It names people by `subscriber_uuid` and `address_hash` alone, so it can outlive their row.
    """

    class Kind(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        CONFIRMED = "confirmed", _("Confirmed")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        IMPORTED = "imported", _("Imported")
        TRACKING_GRANTED = "tracking_granted", _("Tracking granted")
        TRACKING_WITHDRAWN = "tracking_withdrawn", _("Tracking withdrawn")
        REDUCED = "reduced", _("Made less frequent")
        ADDRESS_CHANGED = "address_changed", _("Address changed")
        ERASED = "erased", _("Erased")

    kind = fields.CharField(max_length=20, choices=Kind.choices)
    subscriber_uuid = models.UUIDField(db_index=True)
    address_hash = fields.CharField(max_length=64, db_index=True)
    newsletter_slug = fields.CharField(max_length=80, blank=True)
    cadence = fields.CharField(max_length=20, blank=True)
    documents = models.JSONField(default=list, help_text=_("[{document, version, sha256}]: the texts that were shown."))
    form_text = fields.TextField(blank=True, help_text=_("The words beside the box, as they were shown."))
    form_text_sha256 = fields.CharField(max_length=64, blank=True)
    form_url = fields.CharField(max_length=500, blank=True)
    locale = fields.CharField(max_length=12, blank=True)
    source = fields.CharField(max_length=40, blank=True, help_text=_("How it came: form, one_click, import..."))
    basis = fields.CharField(max_length=500, blank=True, help_text=_("For imports: where they consented."))
    user_agent_sha256 = fields.CharField(max_length=64, blank=True)
    occurred_at = models.DateTimeField()
    # Which facts the hash covers, and with which key (`consent.FORMATS`, `consent.key_id`).
    format = models.PositiveSmallIntegerField(default=1)
    key_id = fields.CharField(max_length=16, blank=True)
    previous_hash = fields.CharField(max_length=64)
    hash = fields.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            # A chain has one successor for each link: two writers can never fork it.
            models.UniqueConstraint(fields=["previous_hash"], name="consent_chain_does_not_fork"),
        ]
        # digests.growth: who acted about one newsletter within some days; who was erased in them.
        indexes = [
            models.Index(fields=["newsletter_slug", "occurred_at"], name="consent_event_of_days"),
            guards.CONSENT_BY_SOURCE,
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.occurred_at:%Y-%m-%d %H:%M} UTC"


class ConsentOrigin(models.Model):
    """The network address of an act, apart from the chain because it is truncated after 30 days."""

    event = models.OneToOneField(ConsentEvent, on_delete=models.PROTECT, related_name="origin")
    ip = models.GenericIPAddressField(null=True, blank=True)
    truncated_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Origin of consent event {self.event_id}"


class KeptHead(models.Model):
    """The newest head that was written outside of the database (`subscribers.consent_heads`). One row."""

    at = fields.CharField(max_length=40)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="kept_head_is_one_row")]

    def __str__(self) -> str:
        return f"{self.count} events at {self.at}"


class SuppressionReason(models.TextChoices):
    """Why an address must not be mailed."""

    HARD_BOUNCE = "hard_bounce", _("Hard bounce")
    SOFT_BOUNCE = "soft_bounce", _("Soft bounces, again and again")
    COMPLAINT = "complaint", _("Complaint")
    MANUAL = "manual", _("By hand")
    ERASED = "erased", _("Erased")


class Suppression(models.Model):
    """A keyed hash of an address that must not be mailed, and why."""

    Reason: TypeAlias = SuppressionReason

    address_hash = fields.CharField(max_length=64, unique=True, editable=False)
    reason = fields.CharField(max_length=12, choices=Reason.choices)
    note = fields.CharField(max_length=300, blank=True, help_text=_("For the team. No address here."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reason__in=SuppressionReason.values),
                name="suppression_reason_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} {self.address_hash[:8]}"


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    """What may be said of subscriptions."""

    def confirmed(self) -> SubscriptionQuerySet:
        return self.filter(state=Subscription.State.CONFIRMED)

    def mailable(self, *, now: datetime) -> SubscriptionQuerySet:
        """The only definition of "may be mailed": confirmed, proved and up to date, not paused, not suppressed.

        The audience of an issue is planned over it, and eligibility is asked of it again before each copy.
        """
        return self.reachable().up_to_date().awake(now=now)

    def reachable(self) -> SubscriptionQuerySet:
        """Confirmed and proved, at an address that may be written to."""
        return self.confirmed().proved().unsuppressed()

    def awake(self, *, now: datetime) -> SubscriptionQuerySet:
        return self.filter(Q(paused_until__isnull=True) | Q(paused_until__lte=now))

    def up_to_date(self) -> SubscriptionQuerySet:
        """Their reader agreed to each legal text that the newsletter demands, or to a newer one."""
        return self.filter(~demand_model.unmet())

    def behind(self) -> SubscriptionQuerySet:
        """Reachable, and not mailed because of what the newsletter demands."""
        return self.reachable().filter(demand_model.unmet())

    def below(self, *, version: LegalVersion) -> SubscriptionQuerySet:
        """Their reader agreed to no text of the document that is as new as this version."""
        return self.filter(~demand_model.reached(version))

    def unsuppressed(self) -> SubscriptionQuerySet:
        suppressed = Suppression.objects.filter(address_hash=OuterRef("subscriber__address_hash"))
        return self.filter(~Exists(suppressed))

    def proved(self) -> SubscriptionQuerySet:
        """Their consent event is this reader's own yes to this newsletter: confirmed, or imported with a basis."""
        slug = F("consent_event__newsletter_slug")
        return self.agreed().filter(Q(newsletter__slug=slug) | Q(newsletter__former_slugs__contains=[slug]))

    def agreed(self) -> SubscriptionQuerySet:
        """Their consent event is this reader's own yes, to whichever newsletter it names."""
        kind = ConsentEvent.Kind
        yes = Q(consent_event__kind=kind.CONFIRMED) | Q(consent_event__kind=kind.IMPORTED, consent_event__basis__gt="")
        return self.filter(yes, consent_event__subscriber_uuid=F("subscriber__uuid"))

    def unproved(self) -> SubscriptionQuerySet:
        """Confirmed, and not mailed because their consent event does not prove it."""
        proved = Subscription.objects.all().proved().filter(pk=OuterRef("pk"))
        return self.confirmed().filter(~Exists(proved))


class Subscription(models.Model):
    """A subscriber's place on a newsletter. Its state changes only through `subscribers.signup`."""

    State: TypeAlias = SubscriptionState

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="subscriptions")
    newsletter = models.ForeignKey(Newsletter, on_delete=models.PROTECT, related_name="subscriptions")
    cadence = fields.CharField(max_length=20, choices=Cadence.choices)
    state = fields.CharField(max_length=12, choices=State.choices, default=State.PENDING, editable=False)
    consent_event = models.ForeignKey(
        ConsentEvent,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("The act that allows mail: confirmed, or imported with a basis."),
    )
    # A confirm link carries this number; a new request, an unsubscribe or an erasure makes it stale.
    request_number = models.PositiveIntegerField(default=1, editable=False)
    requested_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(null=True, blank=True, editable=False)
    unsubscribed_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True)
    # Which stories the reader gets of it; empty: all.
    topics = models.ForeignKey(
        TopicChoice, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # How much of each; empty: as the publication does for those who chose nothing.
    format = fields.CharField(
        max_length=12, blank=True, choices=Format.choices, editable=False, default="", db_default=""
    )
    # The weekdays of a daily digest that comes on some days only, as digits of `Weekday` in order: "024".
    days = fields.CharField(max_length=7, blank=True, db_default="")
    # Since when the reader is out of step with the issues of the cadence: how it comes was changed, and no issue has
    # made up for that yet (`digests.catching_up`). And the last time in which the reader wanted no mail.
    out_of_step_since = models.DateTimeField(null=True, blank=True, editable=False)
    away_from = models.DateTimeField(null=True, blank=True, editable=False)
    away_until = models.DateTimeField(null=True, blank=True, editable=False)
    # The times before that one, while no issue has made up for them.
    earlier_absences = ArrayField(DateTimeRangeField(), null=True, blank=True, editable=False)

    objects: ClassVar[models.Manager[Subscription]] = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["newsletter", "pk"]
        constraints = guards.OF_SUBSCRIPTIONS
        indexes = guards.INDEXES_OF_SUBSCRIPTIONS

    def __str__(self) -> str:
        return f"{self.newsletter}: {self.get_state_display().lower()}"

    @property
    def cadence_in_a_sentence(self) -> str:
        """How often it comes, as a sentence says it."""
        return Cadence(self.cadence).in_a_sentence


class Letter(models.Model):
    """A mail to one person about their own subscription: a row before it is a task, at least once."""

    class Kind(models.TextChoices):
        CONFIRM = "confirm", _("Confirm")
        ALREADY = "already_subscribed", _("Already subscribed")
        REMINDER = "reminder", _("Reminder")
        PERMISSION = "permission", _("Permission")
        WELCOME = "welcome", _("Welcome")
        SERIES = "series", _("Welcome series")
        GOODBYE = "goodbye", _("Goodbye")
        REDUCED = "reduced", _("Comes less often")
        PREFERENCES = "preferences", _("Preferences link")
        RENEWAL = "renewal", _("Agreement to a newer legal text")
        FORMER_ADDRESS = "former_address", _("Change of address, to the present one")
        NEW_ADDRESS = "new_address", _("Change of address, to the new one")

    State: TypeAlias = LetterState
    # Many at once, on behalf of the team: they leave evenly, and after those that a reader waits for.
    BULK: ClassVar = (Kind.PERMISSION, Kind.RENEWAL)

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = fields.CharField(max_length=20, choices=Kind.choices)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="letters")
    subscriptions = models.ManyToManyField(Subscription, related_name="letters")
    # Which legal text it asks for.
    version = models.ForeignKey(
        LegalVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # Of a welcome series: which of its letters.
    welcome = models.ForeignKey(WelcomeLetter, null=True, blank=True, editable=False, on_delete=models.PROTECT)
    state = fields.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    reason = fields.CharField(max_length=32, blank=True, choices=letter_reasons.choices)
    reason_parameters = models.JSONField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=LetterState.values),
                name="letter_state_is_known",
            ),
            models.UniqueConstraint(
                fields=["version", "subscriber"], condition=Q(version__isnull=False), name="letter_once_per_text"
            ),
            # Each letter of a series once, however often a reader leaves and comes back. One that expired never left.
            models.UniqueConstraint(
                fields=["welcome", "subscriber"],
                condition=Q(welcome__isnull=False) & ~Q(state=LetterState.EXPIRED.value),
                name="letter_of_series_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="series", welcome__isnull=False) | ~Q(kind="series") & Q(welcome__isnull=True),
                name="letter_of_series_names_it",
            ),
        ]
        indexes = [
            # subscribers.tasks.tick: letters that wait or whose sender died.
            models.Index("due_at", condition=Q(state__in=states.WAITING), name="letter_waiting"),
            # newsroom.desk.faults: letters of the last days that did not arrive.
            models.Index("settled_at", condition=Q(state__in=states.FAILED), name="letter_failed"),
            # subscribers.signup_breaker: confirmation letters of the last hours.
            models.Index("settled_at", condition=Q(kind="confirm", state=LetterState.SENT), name="letter_asked"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_state_display().lower()}"

    @property
    def reason_sentence(self) -> str:
        """Why it did not leave, for a person; empty without a reason."""
        return letter_reasons.CATALOGUE.sentence(self.reason, self.reason_parameters)
