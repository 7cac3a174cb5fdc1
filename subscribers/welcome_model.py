"""A letter of a newsletter's welcome series: what editors write for readers who have just come."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailkit import message
from publication import fields
from publication.translated import Translated
from subscribers.newsletters import Newsletter

LAST_DAY = 365


class WelcomeLetter(Translated):
    """It goes to each reader once, some days after they confirmed. Written by `subscribers.welcome` only."""

    TRANSLATED = ("subject", "body_markdown")

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="welcome_letters")
    subject = fields.CharField(max_length=200, validators=[message.validate_header_text])
    body_markdown = fields.TextField(_("text"), help_text="Markdown.")
    day = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(LAST_DAY)],
        help_text=_("How many days after the day of the confirmation it comes: 1 is the next day."),
    )
    hour = models.PositiveSmallIntegerField(
        default=9, validators=[MaxValueValidator(23)], help_text=_("0 to 23, where the reader is.")
    )
    is_on = models.BooleanField(_("on"), default=False, help_text=_("Only readers who confirm while it is on get it."))
    # Who confirmed before gets none: nobody is welcomed a year later.
    on_since = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["newsletter", "day"]
        verbose_name = _("welcome letter")
        verbose_name_plural = _("welcome letters")
        constraints = [
            models.UniqueConstraint(fields=["newsletter", "day"], name="welcome_letter_once_a_day"),
            models.CheckConstraint(condition=Q(day__range=(1, LAST_DAY), hour__lte=23), name="welcome_letter_time"),
            models.CheckConstraint(condition=Q(is_on=False) | Q(on_since__isnull=False), name="welcome_letter_since"),
        ]

    def __str__(self) -> str:
        return self.subject
