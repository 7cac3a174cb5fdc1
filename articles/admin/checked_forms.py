"""The forms that put a story before readers: what will happen, and what the checklist asks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from articles import checklist, forecast
from articles.models import Article
from core import database_clock
from publication import moments
from publication.moments import MomentField


class Publish(forms.Form):
    """Every warning is ticked by the person who publishes all the same."""

    acknowledge = forms.MultipleChoiceField(
        label=_("I know this, and publish all the same"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def __init__(self, *args: Any, article: Article, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.article = article
        self.report = checklist.report(article=article)
        warnings = [(one.key, one.sentence) for one in self.report.warnings]
        if warnings:
            self.fields["acknowledge"].choices = warnings  # type: ignore[attr-defined]  # a field of choices
        else:
            del self.fields["acknowledge"]

    @property
    def hour(self) -> datetime | None:
        """When the story would come out; None: now."""
        return None

    @property
    def forecast(self) -> list[str]:
        """What happens, in words."""
        zone = moments.zone().key
        return forecast.sentences(article=self.article, at=self.hour, zone=zone, now=database_clock.now())

    def clean_acknowledge(self) -> list[str]:
        """All of them."""
        ticked: list[str] = self.cleaned_data["acknowledge"]
        if set(ticked) != {one.key for one in self.report.warnings}:
            raise forms.ValidationError(_("Mend each of these in the story, or tick it."))
        return ticked


class Schedule(Publish):
    """When the clock publishes."""

    publish_at = MomentField(label=_("Publish at"))
    field_order = ("publish_at", "acknowledge")

    def __init__(self, *args: Any, article: Article, **kwargs: Any) -> None:
        super().__init__(*args, article=article, **kwargs)
        self.fields["publish_at"].initial = self.hour

    @property
    def hour(self) -> datetime:
        """The hour that it has, or the next seven in the morning, until another is given."""
        chosen: datetime | None = getattr(self, "cleaned_data", {}).get("publish_at")
        return chosen or self.article.publish_at or _next_morning()


def _next_morning() -> datetime:
    local = timezone.now().astimezone(moments.zone())
    morning = local.replace(hour=7, minute=0, second=0, microsecond=0)
    return morning if morning > local else morning + timedelta(days=1)
