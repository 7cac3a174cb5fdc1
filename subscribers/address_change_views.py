"""The pages of a change of address: the form, and the page behind the link of each of the two letters."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from core import client_address
from mailkit import addresses
from publication import languages
from subscribers import address_change, request_context, throttle
from subscribers.forms import NewAddressForm
from subscribers.models import Subscriber
from subscribers.personal_views import of_reader

AGREE = _("Yes, write to the new address")


@of_reader
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, reader: Subscriber, token: str) -> HttpResponse:
    """Take the new address, and say the same whatever it is. A fault comes back with what was typed."""
    form = NewAddressForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _ask(request, reader, form.cleaned_data["address"])
        except address_change.SameAddress as refusal:
            form.add_error("address", str(refusal))
        except throttle.Crowded as refusal:
            form.add_error(None, str(refusal))
            return request_context.later(_page(request, reader, token, form), refusal)
        else:
            return request_context.SeeOther(f"{reverse('ask_change_of_address', args=[token])}?asked=1")
    return _page(request, reader, token, form)


def _page(request: HttpRequest, reader: Subscriber, token: str, form: NewAddressForm) -> HttpResponse:
    faults = form.faults()
    asked = request.GET.get("asked") == "1" and not faults
    shown = {
        "masked": addresses.mask(reader.address), "form": form, "faults": faults, "token": token, "asked": asked,
    }  # fmt: skip
    return render(request, "subscribers/change_of_address.html", shown, status=422 if faults else 200)


def _ask(request: HttpRequest, reader: Subscriber, address: addresses.Address) -> None:
    now = timezone.now()
    is_within = throttle.signup(address=address, ip=client_address.client_ip(request))
    address_change.ask(subscriber=reader, address=address, now=now, dry_run=not is_within)


@request_context.opened_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def agree(request: HttpRequest, token: str) -> HttpResponse:
    """Ask one of the two mailboxes for the press of a button; the second press changes the address."""
    standing = address_change.look(token=token)
    fault, change = "", standing.change
    with languages.override(change.subscriber.language):
        if request.method == "POST":
            evidence = request_context.evidence(request, source=address_change.SOURCE, form_text=str(AGREE))
            try:
                standing = address_change.agree(token=token, evidence=evidence, now=timezone.now())
            except address_change.AddressTaken as refusal:
                fault = str(refusal)
        shown = {"standing": standing, "button": AGREE, "fault": fault, "masked": addresses.mask(change.address)}
        return render(request, "subscribers/address_agreed.html", shown, status=409 if fault else 200)
