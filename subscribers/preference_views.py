"""The preference page: one form per newsletter, each of which does one thing to one subscription."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from core import client_address
from mailkit import addresses
from publication import context, languages
from publication.formats import Format
from publication.models import Publication
from subscribers import (
    cadence_options,
    form_faults,
    hours_form,
    links,
    preference_rows,
    preferences,
    request_context,
    signup,
    terms,
    throttle,
    topics,
)
from subscribers.models import Cadence, Newsletter, Subscriber, Subscription, Weekday

Named = TypeVar("Named")

DAYS = {str(day.value) for day in Weekday}
AGREE = _("Please tick the box of that newsletter. Without your agreement we may not send it.")
TRACKING = _("Note for me alone which mails I open and which links I follow, if the mail service reports it.")
UNKNOWN = _("Please use one of the buttons on this page.")
DONE = {
    "saved": _("Your choice is saved."),
    "left": _("You are unsubscribed."),
    "left_all": _("You are unsubscribed from everything."),
    "added": _("You are subscribed."),
}


class Unknown(Exception):
    """No button of the page sends this; str() is one sentence that says what to do."""


class NotADay(Exception):
    """The end of the pause is no date; str() is one sentence that says what to do."""


class NotATopic(Exception):
    """A topic is none of those on the page; str() is one sentence that says what to do."""


class NotAgreed(Exception):
    """The box beside the terms is not ticked; str() is one sentence that says what to do."""


# What cannot be done -> the field of the newsletter that it is about.
REFUSALS: Mapping[type[Exception], str] = {
    Unknown: "",
    preferences.NotSubscribed: "",
    preferences.NotSpoken: "language",
    preferences.BadHour: "time_zone",
    preferences.NotOffered: "cadence",
    preferences.NotAFormat: "format",
    NotATopic: "topics",
    preferences.BadPause: "pause",
    NotADay: "pause",
    NotAgreed: "consent",
    terms.FormRefused: "consent",
}


@request_context.opened_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def preferences_page(
    request: HttpRequest, token: str, *, a_week: preference_rows.Measure, catalogue: topics.Catalogue
) -> HttpResponse:
    """Show and change one reader's subscriptions; a link past its day offers to mail a fresh one."""
    try:
        subscriber = links.read_preferences(token)
    except links.LinkRefused as refusal:
        if not refusal.expired:
            raise
        subscriber = links.read_preferences(token, even_if_old=True)
        with languages.override(subscriber.language):
            return _too_old(request, subscriber)
    with languages.override(subscriber.language):
        if request.method != "POST":
            return _page(request, subscriber, a_week, catalogue)
        try:
            return _done(request, subscriber, token, catalogue)
        except tuple(REFUSALS) as refusal:
            return _page(request, subscriber, a_week, catalogue, refusal=refusal)


def _done(request: HttpRequest, subscriber: Subscriber, token: str, catalogue: topics.Catalogue) -> HttpResponse:
    action, now = request.POST.get("action", ""), timezone.now()
    if action == "save":
        done = _save(request, subscriber, now, catalogue)
    else:
        done = ACTIONS.get(action, _unknown)(request, subscriber, now)
    return request_context.SeeOther(f"{reverse('preferences', args=[token])}?done={done}")


def _page(
    request: HttpRequest,
    subscriber: Subscriber,
    a_week: preference_rows.Measure,
    catalogue: topics.Catalogue,
    *,
    refusal: Exception | None = None,
) -> HttpResponse:
    now = timezone.now()
    agreed = terms.current()
    rows = preference_rows.of(subscriber=subscriber, a_week=a_week, catalogue=catalogue, now=now)
    if refusal is not None:
        rows = [_as_sent(row, request, REFUSALS[type(refusal)]) for row in rows]
    shown = {
        "masked": addresses.mask(subscriber.address),
        "agree_url": links.agree_url(subscriber=subscriber) if subscriber.subscriptions.all().behind().exists() else "",
        "rows": rows,
        "formats": Format.choices,
        "languages": _languages(request),
        "hours": hours_form.shown(subscriber),
        "terms": agreed,
        "form_token": terms.seal(terms=agreed, page="", now=now),
        "tomorrow": (now + timedelta(days=1)).date().isoformat(),
        "reader": subscriber,
        "token": links.preferences_token(subscriber=subscriber),
        "tracking_words": TRACKING,
        "done": DONE.get(request.GET.get("done", ""), "") if refusal is None else "",
        "faults": [] if refusal is None else [form_faults.FormFault(str(refusal), _place(rows, refusal))],
    }
    return render(request, "subscribers/preferences.html", shown, status=200 if refusal is None else 422)


def _as_sent(row: preference_rows.Row, request: HttpRequest, field: str) -> preference_rows.Row:
    """The newsletter that the form was for, as it was filled in; any other as it is."""
    if row.newsletter.slug != request.POST.get("newsletter"):
        return row
    cadence, paused_until = request.POST.get("cadence", row.cadence), request.POST.get("paused_until", "")
    chosen = request.POST.getlist("topic")
    shown = tuple(replace(one, is_chosen=one.topic.value in chosen) for one in row.topics)
    format_ = request.POST.get("format", row.format)
    return replace(
        row, cadence=cadence, days=_days(request), paused_until=paused_until, topics=shown, format=format_, fault=field
    )


def _place(rows: Sequence[preference_rows.Row], refusal: Exception) -> str:
    """The id of the field to mend."""
    field = REFUSALS[type(refusal)]
    if field in {"language", "time_zone"}:
        return field
    return next((f"{field}-{row.newsletter.pk}" for row in rows if field and row.fault == field), "")


def _languages(request: HttpRequest) -> list[tuple[str, str]]:
    """What the reader can choose from, as (code, own name); nothing where there is one language."""
    offered = context.of(request).languages
    own_names = dict(languages.names())
    return [(code, own_names.get(code, code)) for code in offered] if len(offered) > 1 else []


def _too_old(request: HttpRequest, subscriber: Subscriber) -> HttpResponse:
    """Anybody may hold an old mail, so this page tells nothing and only mails the owner."""
    if request.method != "POST":
        return render(request, "subscribers/preferences_expired.html", status=410)
    now, address = timezone.now(), addresses.normalise(subscriber.address)
    ip = client_address.client_ip(request)
    try:
        if throttle.preferences(address=address, ip=ip):
            preferences.mail_link(subscriber=subscriber, now=now)
    except throttle.Crowded as refusal:
        page = render(request, "subscribers/preferences_expired.html", {"later": str(refusal)})
        return request_context.later(page, refusal)
    return request_context.SeeOther(reverse("preferences_sent"))


@transaction.atomic
def _save(request: HttpRequest, subscriber: Subscriber, now: datetime, catalogue: topics.Catalogue) -> str:
    subscription = _chosen(request, subscriber)
    _save_content(request, subscription, now, catalogue)
    until = _until(request.POST.get("paused_until", ""), subscription.newsletter)
    unchanged = until == subscription.paused_until
    if not unchanged:
        preferences.pause(subscription=subscription, until=until, now=now)
    preferences.change_cadence(
        subscription=subscription,
        cadence=request.POST.get("cadence", ""),
        days=_days(request),
        evidence=request_context.evidence(request, source="preferences"),
        now=now,
    )
    return "saved"


def _save_content(request: HttpRequest, subscription: Subscription, now: datetime, catalogue: topics.Catalogue) -> None:
    """Topics and format as the page had them; a form without these fields changes neither."""
    chosen, format_ = request.POST.getlist("topic"), request.POST.get("format")
    if format_ is None:
        return
    offered = {topic.value for topic in catalogue(subscriptions=[subscription])[subscription.newsletter_id]}
    if not offered.issuperset(chosen):
        raise NotATopic(_("Please choose among the topics of this page."))
    if not subscription.format and format_ == Publication.objects.current().mail_format:
        format_ = ""  # nothing was chosen, so what the publication has goes on
    preferences.choose_content(subscription=subscription, chosen=chosen, format=format_, now=now)


def _days(request: HttpRequest) -> str:
    """The weekdays that are ticked, as digits; each day and none are the same, and only a daily digest has them."""
    ticked = {day for day in request.POST.getlist("days") if day in DAYS}
    is_daily = request.POST.get("cadence") == Cadence.DAILY
    return "".join(sorted(ticked)) if is_daily and len(ticked) < len(DAYS) else ""


def _hours(request: HttpRequest, subscriber: Subscriber, _now: datetime) -> str:
    preferences.choose_hours(subscriber=subscriber, **hours_form.chosen(request.POST))
    return "saved"


def _language(request: HttpRequest, subscriber: Subscriber, _now: datetime) -> str:
    preferences.choose_language(subscriber=subscriber, language=request.POST.get("language", ""))
    return "saved"


def _tracking(request: HttpRequest, subscriber: Subscriber, now: datetime) -> str:
    evidence = request_context.evidence(request, source="preferences", form_text=str(TRACKING))
    preferences.choose_tracking(
        subscriber=subscriber, agrees=bool(request.POST.get("tracking")), evidence=evidence, now=now
    )
    return "saved"


def _unsubscribe(request: HttpRequest, subscriber: Subscriber, now: datetime) -> str:
    evidence = request_context.evidence(request, source="preferences")
    signup.unsubscribe(subscription=_chosen(request, subscriber), evidence=evidence, reason="preferences", now=now)
    return "left"


def _unsubscribe_all(request: HttpRequest, subscriber: Subscriber, now: datetime) -> str:
    evidence = request_context.evidence(request, source="preferences")
    signup.unsubscribe_all(subscriber=subscriber, evidence=evidence, reason="preferences_all", now=now)
    return "left_all"


def _subscribe(request: HttpRequest, subscriber: Subscriber, now: datetime) -> str:
    agreed = terms.current()
    terms.check(token=request.POST.get("form_token", ""), terms=agreed, now=now)
    if not request.POST.get("consent"):
        raise NotAgreed(AGREE)
    offered = {offer.newsletter.slug: offer.newsletter for offer in cadence_options.offered()}
    preferences.subscribe(
        subscriber=subscriber,
        newsletter=_named(request, offered),
        cadence=request.POST.get("cadence", ""),
        evidence=request_context.evidence(
            request, source="preferences", versions=agreed.versions, form_text=agreed.text
        ),
        now=now,
    )
    return "added"


def _unknown(_request: HttpRequest, _subscriber: Subscriber, _now: datetime) -> str:
    raise Unknown(UNKNOWN)


ACTIONS: Mapping[str, Callable[[HttpRequest, Subscriber, datetime], str]] = {
    "hours": _hours,
    "language": _language,
    "tracking": _tracking,
    "unsubscribe": _unsubscribe,
    "unsubscribe_all": _unsubscribe_all,
    "subscribe": _subscribe,
}


def _chosen(request: HttpRequest, subscriber: Subscriber) -> Subscription:
    """The reader's own subscription that the form names; somebody else's cannot be named."""
    mine = subscriber.subscriptions.select_related("newsletter", "subscriber")
    return _named(request, {row.newsletter.slug: row for row in mine})


def _named(request: HttpRequest, known: Mapping[str, Named]) -> Named:
    """The one of these that the form names; what was typed by hand never reaches the database."""
    try:
        return known[request.POST.get("newsletter", "")]
    except KeyError:
        raise Unknown(UNKNOWN) from None


def _until(text: str, newsletter: Newsletter) -> datetime | None:
    """The first moment of a day in the newsletter's zone, when mail starts again; None when left empty."""
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
        return datetime.combine(day, time.min, tzinfo=ZoneInfo(newsletter.time_zone))
    except ValueError:
        raise NotADay(_("Please enter the end of the pause as a date, such as 2026-09-30.")) from None
