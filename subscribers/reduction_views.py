"""The page behind the button of the letter that says that a newsletter comes less often."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from core import client_address
from mailkit import addresses
from publication import languages
from subscribers import links, reductions, request_context, throttle
from subscribers.models import Cadence, ReducedSubscription


@request_context.opened_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def keep(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button; its press gives the former cadence back. A link past its days offers to mail a fresh one."""
    try:
        moved = links.read_keep(token)
    except links.LinkRefused as refusal:
        if not refusal.expired:
            raise
        moved = links.read_keep(token, even_if_old=True)
        with languages.override(moved.subscription.subscriber.language):
            return _too_old(request, moved)
    with languages.override(moved.subscription.subscriber.language):
        standing = reductions.standing(moved=moved)
        if request.method == "POST":
            evidence = request_context.evidence(request, source=reductions.SOURCE_OF_BUTTON)
            standing = reductions.keep(moved=moved, evidence=evidence, now=timezone.now())
        return render(request, "subscribers/keep.html", _shown(moved, standing))


def _shown(moved: ReducedSubscription, standing: reductions.Standing) -> dict[str, object]:
    row = moved.subscription
    return {
        "standing": standing,
        "newsletter": row.newsletter,
        "subscription": row,
        "before": Cadence(moved.reduction.before).in_a_sentence,
        "button": moved.reduction.keep_words,
        "masked": addresses.mask(row.subscriber.address),
    }


def _too_old(request: HttpRequest, moved: ReducedSubscription) -> HttpResponse:
    """Anybody may hold an old mail, so this page tells nothing and only mails the owner."""
    if request.method != "POST":
        sent = request.GET.get("sent") == "1"
        return render(request, "subscribers/keep_expired.html", {"sent": sent}, status=200 if sent else 410)
    address = addresses.normalise(moved.subscription.subscriber.address)
    ip = client_address.client_ip(request)
    try:
        if throttle.preferences(address=address, ip=ip):
            reductions.mail_again(moved=moved, now=timezone.now())
    except throttle.Crowded as refusal:
        page = render(request, "subscribers/keep_expired.html", {"later": str(refusal)})
        return request_context.later(page, refusal)
    return request_context.SeeOther(f"{request.path}?sent=1")
