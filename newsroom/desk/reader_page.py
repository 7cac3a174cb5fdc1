"""Find a reader by address, and one page with all that is known of them."""

from __future__ import annotations

import json
import uuid as uuids
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import database_clock
from digests import replies
from digests.models import Delivery, Variant
from mailkit import addresses
from newsroom.desk import pages, reader_acts
from publication.row_actions import account
from staff.reauthentication import require_recent
from subscribers import evidence, permissions, signed_evidence, suppression
from subscribers.forms import AddressField
from subscribers.models import ConsentEvent, Suppression

MOST: Final = 20


class Find(forms.Form):
    """A whole address, or its beginning."""

    address = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        help_text=_("The whole address, or how it begins."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "email", "autofocus": True}),
    )


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of an address that is no reader's: only its keyed hash is compared."""

    suppressed: Suppression | None
    erased_at: datetime | None
    left_at: datetime | None


@pages.page("subscribers.view_subscriber", "POST")
def find(request: HttpRequest) -> HttpResponse:
    """The form; a POST leads to the reader, or says what else is known of the address."""
    form = Find(request.POST or None)
    context: dict[str, Any] = {"title": _("Find a reader"), "is_task": True, "form": form}
    if form.is_valid():
        typed = form.cleaned_data["address"].strip()
        address = _address(typed)
        if address and (exact := reader_acts.seen(account(request)).filter(address_key=address.key).first()):
            return HttpResponseRedirect(reverse("desk:reader", args=[exact.uuid]))
        begins = (
            reader_acts.seen(account(request)).filter(address_key__startswith=typed.lower()).order_by("address_key")
        )
        context |= {
            "typed": typed,
            "is_address": address is not None,
            "trace": trace(address) if address else None,
            "readers": list(begins[:MOST]),
        }
    return pages.show(request, "admin/desk/readers/find.html", **context)


def trace(address: addresses.Address) -> Trace:
    """The suppression and the last acts of an address without a reader."""
    address_hash = addresses.keyed_hash(address.key)
    last = dict(
        ConsentEvent.objects.filter(address_hash=address_hash).order_by("pk").values_list("kind", "occurred_at")
    )
    return Trace(
        suppression.find(address_hash), last.get(ConsentEvent.Kind.ERASED), last.get(ConsentEvent.Kind.WITHDRAWN)
    )


@pages.page("subscribers.view_subscriber")
def reader(request: HttpRequest, uuid: uuids.UUID) -> HttpResponse:
    """Subscriptions, copies, letters, consent, and what one may do."""
    row = get_object_or_404(reader_acts.seen(account(request)), uuid=uuid)
    copies = Delivery.objects.filter(subscriber=row).select_related("issue__newsletter", "issue__snapshot")
    words = Variant.objects.defer("html", "text", "headers", "compiled")
    copies = copies.prefetch_related(Prefetch("issue__snapshot__variants", words))
    suppressed = suppression.find(row.address_hash)
    context = {
        "title": _("Reader"),
        "reader": row,
        "suppressed": suppressed,
        "subscriptions": permissions.of_newsletters(
            row.subscriptions.select_related("newsletter"), user=account(request), field="newsletter"
        ),
        "behind": set(row.subscriptions.all().behind().values_list("pk", flat=True)),
        "copies": copies.order_by("-pk")[:MOST],
        "letters": row.letters.all()[:MOST],
        "replies": replies.seen(user=account(request)).filter(subscriber=row)[:MOST],
        "events": ConsentEvent.objects.filter(address_hash=row.address_hash).order_by("-pk")[:MOST],
        "acts": [
            action for action in reader_acts.ACTS.values() if action.is_offered(account(request), row, suppressed)
        ],
    }
    return pages.show(request, "admin/desk/readers/reader.html", **context)


@pages.page("subscribers.view_consentevent")
@require_recent
def evidence_page(request: HttpRequest, uuid: uuids.UUID) -> HttpResponse:
    """The proof of consent, to be read, printed or saved as PDF. The audit log says who asked for it."""
    row = get_object_or_404(reader_acts.seen(account(request)), uuid=uuid)
    proof = evidence.of(address=row.address, actor=account(request), now=database_clock.now())
    return pages.show(
        request,
        "admin/desk/readers/evidence.html",
        title=_("Proof of consent"),
        reader=row,
        proof=proof,
        now=database_clock.now(),
    )


@pages.page("subscribers.view_consentevent")
@require_recent
def evidence_file(request: HttpRequest, uuid: uuids.UUID) -> HttpResponse:
    """The same as a signed file, which others can check by the public key."""
    row = get_object_or_404(reader_acts.seen(account(request)), uuid=uuid)
    text = signed_evidence.of(address=row.address, actor=account(request), now=database_clock.now())
    return pages.saved(text, name=f"consent-{row.uuid}.json")


@pages.page("subscribers.view_consentevent")
@require_recent
def download(request: HttpRequest, uuid: uuids.UUID) -> HttpResponse:
    """All that is stored about the reader, as JSON: what they may ask for."""
    row = get_object_or_404(reader_acts.seen(account(request)), uuid=uuid)
    proof = evidence.of(address=row.address, actor=account(request), now=database_clock.now())
    copies = Delivery.objects.filter(subscriber=row).order_by("pk")
    data = {
        "address": row.address,
        "name": row.name,
        "language": row.language,
        "tracking_consent": row.tracking_consent,
        "since": row.created_at,
        "letters": list(row.letters.values("kind", "state", "created_at", "settled_at")),
        "copies": list(copies.values("issue__newsletter__slug", "issue__number", "state", "settled_at")),
        "replies": list(row.replies.values("received_at", "sender", "subject", "text", "quoted", "letter__text")),
        "consent": proof,
    }
    text = json.dumps(data, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    return pages.saved(text, name=f"reader-{row.uuid}.json")


def _address(typed: str) -> addresses.Address | None:
    try:
        address: addresses.Address = AddressField().clean(typed)
    except forms.ValidationError:
        return None
    return address
