"""The models of newsletters and of the cadences that they offer."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext_lazy as _

from core import database_clock
from mailkit import message
from publication import fields
from publication.models import validate_language, validate_time_zone
from publication.translated import Translated
from subscribers import cadences
from subscribers.cadences import Cadence, Weekday


class Newsletter(Translated):
    """A named publication one subscribes to."""

    TRANSLATED = ("name", "description")

    name = fields.CharField(
        max_length=120,
        unique=True,
        validators=[message.validate_header_text],
        help_text=_("Readers see it on the form, in the sender and in the subject."),
    )
    slug = fields.SlugField(max_length=80, unique=True, help_text=_("The address: /newsletters/SLUG/."))
    # Slugs that it had before (manage.py former_slug): consent that names one is consent to this newsletter.
    former_slugs = ArrayField(fields.SlugField(max_length=80), default=list, blank=True, editable=False)
    description = fields.CharField(max_length=300, help_text=_("One sentence: what comes, and for whom."))
    sections = models.ManyToManyField(
        "articles.Section",
        blank=True,
        related_name="+",
        help_text=_("Stories of these sections go into its digests. None chosen: all sections."),
    )
    topic_tags = models.ManyToManyField(
        "articles.Tag",
        blank=True,
        related_name="+",
        verbose_name=_("tags as topics"),
        help_text=_("Readers can choose these tags as topics, beside the sections of its stories."),
    )
    sender_name = fields.CharField(
        max_length=120,
        blank=True,
        validators=[message.validate_header_text],
        help_text=_("Empty: the newsletter's name."),
    )
    sender_address = fields.EmailField(blank=True, help_text=_("Empty: the publication's sender address."))
    reply_to = fields.EmailField(blank=True, help_text=_("Empty: the publication's reply-to address."))
    time_zone = fields.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text=_("The hours of its cadences are meant in this zone, such as Asia/Bishkek."),
    )
    language = fields.CharField(
        max_length=12,
        blank=True,
        validators=[validate_language],
        help_text=_("Language of its issues, such as en or ru. Empty: each reader's own, if the publication has it."),
    )
    auto_approve = models.BooleanField(
        default=False, help_text=_("Send digests at their hour without waiting for a person to approve them.")
    )
    second_person_approves = models.BooleanField(
        default=False,
        help_text=_("Somebody other than its last editor has to approve an issue."),
    )
    stories_in_full = models.PositiveSmallIntegerField(
        "stories in full",
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text=_("The number of stories shown with picture and standfirst; the next ones are headlines."),
    )
    counts_clicks = models.BooleanField(
        "count clicks",
        default=True,
        help_text=_(
            "Links to stories and other sites lead through this site, which counts how often each is followed. "
            "Nobody learns who followed it."
        ),
    )
    default_cadence = fields.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        choices=Cadence.choices,
        help_text=_(
            "For new readers who choose none; the hour and weekday are those of the cadence below. It moves nobody who "
            "reads it already. Empty or not offered: daily, or the soonest that it has."
        ),
    )
    is_open = models.BooleanField(default=True, help_text=_("Readers can sign up on the site."))
    position = models.PositiveSmallIntegerField(default=0, help_text=_("Order on the form."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(default_cadence="") | Q(default_cadence__in=Cadence.values),
                name="newsletter_default_cadence_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("newsletter", args=[self.slug])

    def clean(self) -> None:
        """Settings that fit each other, and a slug of its own.

        A slug by which consent names another newsletter would turn that consent into one to this.
        """
        if self.auto_approve and self.second_person_approves:
            raise ValidationError(
                {"second_person_approves": _("An issue that approves itself has no second person. Choose one.")}
            )
        if Newsletter.objects.filter(former_slugs__contains=[self.slug]).exclude(pk=self.pk).exists():
            raise ValidationError(
                {"slug": _("Another newsletter had this slug, and readers consented to it by that name.")}
            )


def _needed(field: str, *, name: str) -> models.CheckConstraint:
    """Offers of the cadences that need the field have it."""
    others = ~Q(cadence__in=cadences.needing(field))
    return models.CheckConstraint(condition=others | Q(**{f"{field}__isnull": False}), name=name)


class CadenceOffer(models.Model):
    """A cadence that a newsletter offers, with the hour (and the day) of its digest."""

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="offers")
    cadence = fields.CharField(max_length=20, choices=Cadence.choices)
    send_at = models.TimeField(null=True, blank=True, help_text=_("Hour of the digest in the newsletter's time zone."))
    weekday = models.PositiveSmallIntegerField(
        null=True, blank=True, choices=Weekday.choices, help_text=_("Only for weekly digests.")
    )
    day_of_month = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(28)],
        help_text=_("Only for monthly digests: 1 to 28, which every month has."),
    )
    any_days = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("Only for daily digests: readers may choose the weekdays on which theirs comes."),
    )
    is_active = models.BooleanField(default=True, help_text=_("Composes and sends; readers can choose it."))
    active_since = models.DateTimeField(
        default=timezone.now, help_text=_("Stories published before are not in the first digest.")
    )

    # What `subscribers.schedules` and the clock know of it: the hour, weekday and zone on record; up to which instant
    # runs are over (made, skipped, or of an earlier schedule); up to which each has its row; the last one with stories.
    schedule = fields.CharField(max_length=120, blank=True, editable=False)
    runs_after = models.DateTimeField(null=True, blank=True, editable=False)
    recorded_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_run_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["newsletter", "cadence"]
        constraints = [
            models.UniqueConstraint(fields=["newsletter", "cadence"], name="offer_once_per_cadence"),
            models.CheckConstraint(condition=Q(cadence__in=Cadence.values), name="offer_cadence_is_known"),
            _needed("send_at", name="offer_digest_has_hour"),
            _needed("weekday", name="offer_weekly_has_weekday"),
            _needed("day_of_month", name="offer_monthly_has_day"),
            models.CheckConstraint(condition=Q(day_of_month__range=(1, 28)), name="offer_day_is_in_every_month"),
        ]

    def __str__(self) -> str:
        return f"{self.newsletter}, {Cadence(self.cadence).in_a_sentence}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """No run is due before `active_since`, so it is not written ahead of the database's clock."""
        self.active_since = database_clock.not_ahead(moment=self.active_since)
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """An hour for each digest, and the day where the cadence needs one."""
        needs = cadences.of(self.cadence).needs if self.cadence in Cadence.values else ()
        missing = [field for field in needs if getattr(self, field) is None]
        if missing:
            raise ValidationError({field: _("A digest of this cadence needs it.") for field in missing})

    @property
    def audit_name(self) -> str:
        """The cadence with its hour and day, for the audit log."""
        when = [self.send_at and f"{self.send_at:%H:%M}", self.weekday is not None and f"weekday {self.weekday}"]
        words = [self.cadence, *when, self.day_of_month and f"day {self.day_of_month}", not self.is_active and "off"]
        return " ".join(word for word in words if word)

    def in_words(self) -> str:
        """When it comes, for readers."""
        time = time_format(self.send_at, "H:i") if self.send_at else ""
        weekday = Weekday(self.weekday).every if self.weekday is not None else ""
        values = {"time": time, "zone": self.newsletter.time_zone, "weekday": weekday, "day": self.day_of_month}
        words = str(cadences.of(self.cadence).description) % values
        if self.any_days and self.cadence == Cadence.DAILY:
            return _("%(daily)s, or on weekdays that you choose") % {"daily": words}
        return words
