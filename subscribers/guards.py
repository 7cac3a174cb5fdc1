"""What the database itself refuses of readers and subscriptions, and the indexes that their queries use."""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from publication.formats import Format
from subscribers.cadences import Cadence
from subscribers.states import SubscriptionState

# What a reader chose of when mail comes, and who chose any of it.
HOURS_OF_READERS: Final = ("time_zone", "mail_hour", "quiet_from", "quiet_until")
CHOSE_HOURS: Final = ~Q(time_zone="") | Q(mail_hour__isnull=False) | Q(quiet_from__isnull=False)

OF_READERS: Final[list[models.BaseConstraint]] = [
    models.CheckConstraint(condition=Q(mail_hour__isnull=True) | Q(mail_hour__lte=23), name="reader_hour_is_one"),
    models.CheckConstraint(
        condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
        | Q(quiet_from__isnull=False, quiet_from__lte=23, quiet_until__isnull=False, quiet_until__lte=23)
        & ~Q(quiet_from=F("quiet_until")),
        name="reader_quiet_hours_have_an_end",
    ),
]
INDEXES_OF_READERS: Final[list[models.Index]] = [
    # The beginning of a name, as somebody at the desk types it.
    models.Index(OpClass(Upper("name"), name="text_pattern_ops"), name="reader_name"),
    # digests.local_hours: which places and hours readers have.
    models.Index(
        fields=HOURS_OF_READERS,
        condition=CHOSE_HOURS,
        name="reader_place",
    ),
    # subscribers.segment_fields: readers of one language, of those who chose one.
    models.Index(fields=["language"], condition=~Q(language=""), name="reader_language"),
]
# subscribers.segment_fields: how readers of a newsletter came.
CONSENT_BY_SOURCE: Final = models.Index(
    fields=["newsletter_slug", "source"],
    condition=Q(kind__in=("confirmed", "imported")),
    name="consent_event_of_source",
)
OF_SUBSCRIPTIONS: Final[list[models.BaseConstraint]] = [
    models.UniqueConstraint(fields=["subscriber", "newsletter"], name="subscription_once_per_newsletter"),
    models.CheckConstraint(condition=Q(state__in=SubscriptionState.values), name="subscription_state_is_known"),
    models.CheckConstraint(condition=Q(cadence__in=Cadence.values), name="subscription_cadence_is_known"),
    models.CheckConstraint(
        condition=~Q(state=SubscriptionState.CONFIRMED.value) | Q(consent_event__isnull=False),
        name="subscription_confirmed_has_consent",
    ),
    models.CheckConstraint(
        condition=Q(days="") | Q(cadence=Cadence.DAILY.value, days__regex="^0?1?2?3?4?5?6?$"),
        name="subscription_days_are_of_a_daily",
    ),
    models.CheckConstraint(condition=Q(format="") | Q(format__in=Format.values), name="subscription_format_is_known"),
]
INDEXES_OF_SUBSCRIPTIONS: Final[list[models.Index]] = [
    # sending.audience.plan: everybody mailable of a newsletter and cadence.
    models.Index(
        fields=["newsletter", "cadence", "subscriber"],
        condition=Q(state=SubscriptionState.CONFIRMED.value),
        name="subscription_audience",
    ),
    # digests.variants: whether anybody chose topics or a format.
    models.Index(
        fields=["newsletter"],
        condition=Q(topics__isnull=False) | ~Q(format=""),
        name="subscription_particular",
    ),
    # subscribers.segment_fields: who joined within some days.
    models.Index(
        fields=["newsletter", "confirmed_at"],
        condition=Q(state=SubscriptionState.CONFIRMED.value),
        name="subscription_joined",
    ),
    # digests.catching_up: the few whose copies are made up one by one.
    models.Index(
        fields=["newsletter", "cadence", "subscriber"],
        condition=~Q(days="") | Q(out_of_step_since__isnull=False),
        name="subscription_by_itself",
    ),
]
