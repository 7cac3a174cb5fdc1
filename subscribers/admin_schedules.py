"""The schedules in a newsletter's form: the next three runs of each cadence, and a message after saving."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib import messages
from django.contrib.admin.helpers import AdminForm
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import StackedInline

from core import database_clock
from publication.change_lists import ModelAdmin
from subscribers import cadences, schedules
from subscribers.models import CadenceOffer, Newsletter

NEXT = gettext_lazy("%(cadence)s: the next digest is made on %(run)s (%(zone)s), with all stories since the last one.")


class CadenceOfferInline(StackedInline):  # type: ignore[misc]  # django-unfold publishes no types
    """How often the newsletter comes, and when next."""

    model = CadenceOffer
    extra = 0
    fields = (("cadence", "is_active"), "send_at", ("weekday", "day_of_month"), "any_days", "next_runs", "active_since")
    readonly_fields = ("next_runs",)

    def next_runs(self, offer: CadenceOffer) -> str | SafeString:
        """The next three, one below the other, in the newsletter's own time zone; as the clock will see them."""
        if offer.pk is None or not offer.is_active:
            return ""
        if offer.cadence not in cadences.DIGESTS:
            return _("With each story")
        return format_html_join("", '<div class="whitespace-nowrap">{}</div>', ((run,) for run in _next(offer, 3)))

    next_runs.short_description = gettext_lazy("Next digests")  # type: ignore[attr-defined]  # Django reads it there


class SaysWhenItRuns(ModelAdmin):
    """A newsletter's admin that notes a changed schedule when it is saved, and says when the next digests are made."""

    def save_related(self, request: HttpRequest, form: AdminForm, formsets: Any, change: bool) -> None:
        """The newsletter's zone and the hours of its cadences are saved now."""
        super().save_related(request, form, formsets, change)
        newsletter: Newsletter = form.instance  # type: ignore[attr-defined]  # a ModelForm, which is not generic here
        schedules.note_changes(now=database_clock.now(), newsletter=newsletter)
        offers = newsletter.offers.filter(is_active=True, cadence__in=cadences.DIGESTS)
        for offer in offers.select_related("newsletter"):
            for run in _next(offer, 1):
                values = {"cadence": offer.get_cadence_display(), "run": run, "zone": newsletter.time_zone}
                self.message_user(request, NEXT % values, messages.INFO)


def _next(offer: CadenceOffer, number: int) -> list[str]:
    """The next runs in words; none where the hour was left out or the zone is unknown, which the form says itself."""
    try:
        zone = ZoneInfo(offer.newsletter.time_zone)
        runs = schedules.upcoming(offer=offer, now=database_clock.now(), number=number)
    except (schedules.NoSuchOffer, ZoneInfoNotFoundError, ValueError):
        return []
    return [_in_words(run.astimezone(zone)) for run in runs]


def _in_words(moment: datetime) -> str:
    return date_format(moment, "D j M, H:i")
