"""What a reader may do with all that is stored about them: read it, take it along, have it erased."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, TypeAlias

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from mailkit import addresses
from publication import languages
from subscribers import erasure, links, personal_data, request_context, signed_evidence
from subscribers.models import Cadence, ConsentEvent, Subscriber

ReaderView: TypeAlias = Callable[..., HttpResponse]

Kind = ConsentEvent.Kind
ACTS: Final[Mapping[str, object]] = {
    Kind.REQUESTED: _("Asked for"),
    Kind.CONFIRMED: _("Agreed"),
    Kind.WITHDRAWN: _("Left"),
    Kind.IMPORTED: _("Brought in from a list"),
    Kind.TRACKING_GRANTED: _("Agreed to be counted as a person"),
    Kind.TRACKING_WITHDRAWN: _("No longer agreed to be counted as a person"),
    Kind.REDUCED: _("Made less frequent by the publication"),
    Kind.ADDRESS_CHANGED: _("Changed the address"),
    Kind.ERASED: _("Erased"),
}


def of_reader(view: ReaderView) -> ReaderView:
    """Decorates a page below the preferences: same link, same day, the reader's language.

    The view gets the reader and the token. A link past its day leads to the page that mails a fresh one.
    """

    @request_context.opened_by_link
    @wraps(view)
    def page(request: HttpRequest, token: str, **given: Any) -> HttpResponse:
        try:
            subscriber = links.read_preferences(token)
        except links.LinkRefused as refusal:
            if not refusal.expired:
                raise
            return request_context.SeeOther(reverse("preferences", args=[token]))
        with languages.override(subscriber.language):
            return view(request, subscriber, token, **given)

    return page


@of_reader
@require_safe
def data_page(request: HttpRequest, reader: Subscriber, token: str, *, copies: personal_data.Copies) -> HttpResponse:
    """Everything in words, with the sentences that were agreed to as they were shown."""
    data = personal_data.of(subscriber=reader, copies=copies)
    titles = {(text["document"], text["version"]): text["title"] for text in data.texts}
    names = {
        slug: row.newsletter.local.name
        for row in data.subscriptions
        for slug in (row.newsletter.slug, *row.newsletter.former_slugs)
    }
    acts = [
        {
            "event": event,
            "name": ACTS[event.kind],
            "newsletter": names.get(event.newsletter_slug, event.newsletter_slug),
            "cadence": Cadence(event.cadence).in_a_sentence if event.cadence else "",
            "texts": [shown | {"title": titles[shown["document"], shown["version"]]} for shown in event.documents],
        }
        for event in data.events
    ]
    return render(request, "subscribers/personal_data.html", {"data": data, "acts": acts, "token": token})


@of_reader
@require_safe
def data_file(_request: HttpRequest, reader: Subscriber, _token: str, *, copies: personal_data.Copies) -> HttpResponse:
    """The same as JSON, to be saved."""
    data = personal_data.as_json(personal_data.of(subscriber=reader, copies=copies))
    response = JsonResponse(data, json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


@of_reader
@require_safe
def proof_file(_request: HttpRequest, reader: Subscriber, _token: str) -> HttpResponse:
    """What was agreed to and when, signed by us."""
    text = signed_evidence.of_reader(subscriber=reader, now=timezone.now())
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="my-consent.json"'
    return response


@of_reader
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, reader: Subscriber, token: str) -> HttpResponse:
    """Say what goes and what stays, and ask; the press of the button erases at once."""
    if request.method != "POST":
        context = {"masked": addresses.mask(reader.address), "token": token}
        return render(request, "subscribers/erase.html", context)
    evidence = request_context.evidence(request, source="preferences")
    erasure.erase(address_key=reader.address_key, evidence=evidence, actor=None, now=timezone.now())
    return render(request, "subscribers/erased.html")
