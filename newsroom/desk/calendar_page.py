"""The calendar of stories and issues, by month and week, and the forms that move one of them to another day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django import forms
from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import dateformat, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from unfold.widgets import UnfoldAdminDateWidget

from articles import permissions
from articles.models import Article
from articles.refusals import PublishingError
from core import database_clock
from digests import moving
from digests import permissions as permissions_of_issues
from digests.models import Issue
from newsroom.desk import calendar, pages
from publication import hours, moments
from publication.row_actions import account
from staff import reauthentication

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
    now, zone = database_clock.now(), moments.zone()
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
        zone=zone.key, name=_name(shown[0] if is_week else first, is_week=is_week),
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
            messages.success(request, _moved_story(story))
            return _back_to(form.cleaned_data["day"])
    return pages.show(
        request, "admin/action.html", title=_("Move to another day"), subtitle=story.headline, form=form,
        explanation=_("A scheduled story keeps its hour. A story that is not scheduled is only planned for the day."),
        label=_("Move"), back=reverse("desk:calendar"),
    )  # fmt: skip


@pages.page("digests.view_issue", "POST")
def move_issue(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the day of an issue that has not left, and on POST move it; an approved one only for who it is again."""
    user, now = account(request), database_clock.now()
    issue = permissions_of_issues.issues_of(Issue.objects.select_related("newsletter"), user=user).filter(pk=pk).first()
    if issue is None:
        raise Http404("There is no such issue.")
    permissions_of_issues.require(moving.right(issue=issue), user=user, issue=issue)
    before = _hour(issue, now)
    form = Target(request.POST or None, initial={"day": request.GET.get("day")})
    if issue.state == Issue.State.SCHEDULED:
        reauthentication.ask(form, request=request)
    if form.is_valid():
        day, zone = form.cleaned_data["day"], moments.zone()
        try:
            when = calendar.moved(issue=issue, day=day, zone=zone)
            moving.move(issue=issue, when=when, actor=user, now=now)
        except moving.REFUSALS as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _moved_issue(issue, before, now))
            return _back_to(day)
    return pages.show(
        request, "admin/action.html", title=_("Move to another day"), subtitle=issue, form=form,
        explanation=_before_moving(issue, before, now), label=_("Move"), back=reverse("desk:calendar"),
    )  # fmt: skip


def _back_to(day: date) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('desk:calendar')}?month={day.isoformat()}")


def _moved_story(story: Article) -> str:
    zone, now = timezone.get_current_timezone_name(), database_clock.now()
    if story.state == Article.State.SCHEDULED and story.publish_at is not None:
        facts = {"story": story.headline, "when": hours.when(story.publish_at, zone=zone, now=now)}
        return _("“%(story)s” is published %(when)s.") % facts
    return _("“%(story)s” is planned for %(day)s.") % {"story": story.headline, "day": _day(story.planned_for)}


def _moved_issue(issue: Issue, before: str, now: datetime) -> str:
    facts = {"issue": issue, "when": _hour(issue, now), "before": before}
    if issue.state == Issue.State.SCHEDULED:
        return _("“%(issue)s” leaves %(when)s, instead of %(before)s.") % facts
    return _("“%(issue)s” leaves %(when)s once it is approved, instead of %(before)s.") % facts


def _before_moving(issue: Issue, before: str, now: datetime) -> str:
    """What moving it does, or why it stays."""
    if issue.state == Issue.State.SCHEDULED:
        readers = issue.readers(now=now).count()
        sentence = ngettext(
            "It leaves %(before)s, to %(number)s reader. On another day it keeps its hour. You approve it with "
            "that: its text is made again, with the new day in its head.",
            "It leaves %(before)s, to %(number)s readers. On another day it keeps its hour. You approve it with "
            "that: its text is made again, with the new day in its head.",
            readers,
        )
        return sentence % {"before": before, "number": intcomma(readers)}
    if issue.state == Issue.State.DRAFT:
        return _("Once it is approved it leaves %(before)s. On another day it keeps its hour.") % {"before": before}
    facts = {"state": issue.get_state_display().lower()}
    return _("Only an issue that has not begun to leave can be moved; this one is %(state)s.") % facts


def _hour(issue: Issue, now: datetime) -> str:
    if issue.scheduled_for is None:
        return _("at once")
    return hours.when(issue.scheduled_for, zone=issue.newsletter.time_zone, now=now)


def _day(day: date | None) -> str:
    return dateformat.format(day, pgettext("a weekday", "l j F")) if day else ""


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
