"""The calendar of stories and issues, by month and week, and the form that moves a story to another day."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import dateformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.widgets import UnfoldAdminDateWidget

from articles import permissions
from articles.refusals import PublishingError
from core import database_clock
from newsroom.desk import calendar, pages
from publication import context as publications
from publication.row_actions import account

YEARS = range(1900, 2100)


class Target(forms.Form):
    """The day to which it goes."""

    day = forms.DateField(label=gettext_lazy("Day"), widget=UnfoldAdminDateWidget)

    def clean_day(self) -> date:
        """A day that somebody may mean."""
        day: date = self.cleaned_data["day"]
        if not timedelta(days=-366) <= day - database_clock.now().date() <= timedelta(days=3_653):
            raise forms.ValidationError(_("Choose a day within the next ten years."))
        return day


@pages.page("articles.view_article")
def show_calendar(request: HttpRequest) -> HttpResponse:
    """A month, or a week."""
    house, now = publications.of(request), database_clock.now()
    zone = ZoneInfo(house.time_zone)
    is_week = "week" in request.GET
    first = _asked(request.GET.get("week") or request.GET.get("month"), now.astimezone(zone).date())
    if is_week:
        monday = first - timedelta(days=first.weekday())
        shown, month = [monday + timedelta(days=number) for number in range(7)], None
    else:
        shown, month = calendar.month_days(year=first.year, month=first.month), first.month
    days = calendar.days(user=account(request), shown=shown, month=month, zone=zone, now=now)
    return pages.show(
        request, "admin/desk/calendar.html", title=_("Calendar"), days=days, is_week=is_week, first=first,
        zone=house.time_zone, name=_name(shown[0] if is_week else first, is_week=is_week),
        before=(shown[0] - timedelta(days=7) if is_week else first.replace(day=1) - timedelta(days=1)).isoformat(),
        after=(shown[0] + timedelta(days=7) if is_week else first.replace(day=28) + timedelta(days=4)).isoformat(),
    )  # fmt: skip


@pages.page("articles.view_article", "POST")
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the day, and on POST move the story."""
    user = account(request)
    story = permissions.visible_to(user).filter(pk=pk).first()
    if story is None:
        raise Http404("There is no such story.")
    form = Target(request.POST or None)
    if form.is_valid():
        try:
            calendar.move(article=story, day=form.cleaned_data["day"], actor=user, now=database_clock.now())
        except PublishingError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The story was moved."))
            return HttpResponseRedirect(f"{reverse('desk:calendar')}?month={form.cleaned_data['day'].isoformat()}")
    return pages.show(
        request, "admin/action.html", title=_("Move to another day"), subtitle=story.headline, form=form,
        explanation=_("A scheduled story keeps its hour. A story that is not scheduled is only planned for the day."),
        label=_("Move"), back=reverse("desk:calendar"),
    )  # fmt: skip


def _asked(given: str | None, today: date) -> date:
    try:
        day = date.fromisoformat(f"{given}-01" if given and len(given) == 7 else given or "")
    except ValueError:
        return today
    return day if day.year in YEARS else today


def _name(day: date, *, is_week: bool) -> str:
    if is_week:
        number = day.isocalendar().week
        return _("Week %(number)s, %(year)s") % {"number": number, "year": day.isocalendar().year}
    # Translators: letters as of Django's date filter: a month and its year.
    return dateformat.format(day, pgettext("a month, for Django's date filter", "F Y"))
