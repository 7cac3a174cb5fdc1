"""The pages behind the links in our mails. GET shows a button; only POST acts."""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from mailkit import addresses
from publication import languages
from subscribers import leaving, links, preferences, request_context, signup, throttle
from subscribers.models import LeavingReason, Subscription

AGREED_BY_LINK = _("Confirm my subscription")
AGREED_AGAIN = _("Subscribe again")


@request_context.opened_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for the press of a button; nothing but the press confirms, since scanners run scripts too."""
    confirmation = signup.look(token=token)
    with languages.override(confirmation.subscriber.language):
        if request.method == "POST":
            evidence = request_context.evidence(request, source="confirm_link", form_text=str(AGREED_BY_LINK))
            confirmation = signup.confirm(token=token, evidence=evidence, now=timezone.now())
            if not confirmation.already:
                throttle.answered(address_key=confirmation.subscriber.address_key)
        elif not confirmation.already:
            return render(request, "subscribers/confirm.html", {"confirmation": confirmation, "button": AGREED_BY_LINK})
        return render(request, "subscribers/confirmed.html", {"confirmation": confirmation})


@request_context.opened_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End one subscription by the button of the page, or by a mail program's one-click POST (RFC 8058).

    What is gone already, as after an erasure, has ended: the answer is the same, and nothing changes.
    """
    one_click = request.POST.get("List-Unsubscribe") == "One-Click"
    try:
        subscription = links.read_unsubscribe(token)
    except links.NothingLeft:
        return _one_click_done() if one_click else render(request, "subscribers/unsubscribed.html")
    with languages.override(subscription.subscriber.language):
        return _unsubscribe(request, subscription, one_click=one_click)


def _unsubscribe(request: HttpRequest, subscription: Subscription, *, one_click: bool) -> HttpResponse:
    if request.method != "POST":
        return _way_out(request, subscription)
    if not one_click and (stay := STAYING.get(request.POST.get("action", ""))):
        return stay(request, subscription)
    source = "one_click" if one_click else "unsubscribe_page"
    ended = signup.unsubscribe(
        subscription=subscription,
        evidence=request_context.evidence(request, source=source),
        reason=source,
        now=timezone.now(),
    )
    if one_click:
        return _one_click_done()
    again = links.again_token(subscription=subscription) if ended else ""
    context = {"again_token": again, "reasons": LeavingReason.choices}
    return render(request, "subscribers/unsubscribed.html", _about(subscription) | context)


def _way_out(request: HttpRequest, subscription: Subscription) -> HttpResponse:
    context = {
        "has_ended": subscription.state == Subscription.State.UNSUBSCRIBED,
        "can_pause": subscription.state == Subscription.State.CONFIRMED,
        "can_be_weekly": preferences.less_often(subscription=subscription),
    }
    return render(request, "subscribers/unsubscribe.html", _about(subscription) | context)


def _weekly(request: HttpRequest, subscription: Subscription) -> HttpResponse:
    evidence = request_context.evidence(request, source="unsubscribe_page")
    try:
        preferences.take_weekly(subscription=subscription, evidence=evidence, now=timezone.now())
    except (preferences.NotOffered, preferences.NotSubscribed):
        return _way_out(request, subscription)
    return render(request, "subscribers/stayed.html", _about(subscription))


def _pause(request: HttpRequest, subscription: Subscription) -> HttpResponse:
    try:
        preferences.pause_for_a_month(subscription=subscription, now=timezone.now())
    except preferences.NotSubscribed:
        return _way_out(request, subscription)
    zone = ZoneInfo(subscription.newsletter.time_zone)
    until = subscription.paused_until.astimezone(zone).date() if subscription.paused_until else None
    return render(request, "subscribers/stayed.html", _about(subscription) | {"until": until})


# What the page of the way out offers instead. A mail program's one click never comes here.
STAYING: Mapping[str, Callable[[HttpRequest, Subscription], HttpResponse]] = {"weekly": _weekly, "pause": _pause}


@request_context.opened_by_link
@require_POST
def leaving_reason(request: HttpRequest, token: str) -> HttpResponse:
    """Count why somebody left within the last hour, once, and not who; without a reason nothing is counted."""
    subscription = links.read_again(token)
    with languages.override(subscription.subscriber.language):
        now, reason = timezone.now(), request.POST.get("reason", "")
        name = f"{subscription.uuid} {subscription.request_number}"
        if reason in LeavingReason.values and throttle.leaving_reason(leaving=name):
            leaving.count(newsletter=subscription.newsletter, reason=LeavingReason(reason), now=now)
        return render(request, "subscribers/thanked.html", _about(subscription))


@request_context.opened_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe_again(request: HttpRequest, token: str) -> HttpResponse:
    """Take back an unsubscribe of the last hour."""
    subscription = links.read_again(token)
    context = _about(subscription) | {"token": token, "button": AGREED_AGAIN}
    with languages.override(subscription.subscriber.language):
        if request.method != "POST":
            return render(request, "subscribers/subscribe_again.html", context)
        evidence = request_context.evidence(request, source="subscribe_again", form_text=str(AGREED_AGAIN))
        preferences.subscribe_again(subscription=subscription, evidence=evidence, now=timezone.now())
        return render(request, "subscribers/subscribed_again.html", context)


def _one_click_done() -> HttpResponse:
    return HttpResponse(gettext("You are unsubscribed.") + "\n", content_type="text/plain; charset=utf-8")


def _about(subscription: Subscription) -> dict[str, object]:
    """What a page may show of a subscription: mails get forwarded, so the address is masked."""
    return {
        "newsletter": subscription.newsletter,
        "subscription": subscription,
        "masked": addresses.mask(subscription.subscriber.address),
    }
