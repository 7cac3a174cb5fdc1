"""The sign-up pages and the legal texts."""

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from core import caching, client_address
from publication import context, heads, language_switch, languages, scrolling, shared_parts
from publication.models import Publication
from subscribers import (
    cadence_options,
    effort,
    forms,
    legal,
    preferences,
    request_context,
    signup,
    signup_breaker,
    throttle,
)
from subscribers.models import LegalDocument, LegalVersion

ELSEWHERE = _("This form was sent from another website. Please send it again from here.")


# The second form carries a signed token of its own, and no page sets a cookie: docs/decisions/0011 and 0147.
@csrf_exempt
def subscribe(request: HttpRequest) -> HttpResponseBase:
    """Ask for an address, then for newsletters and consent, then mail a letter; the same for every address."""
    if request.method != "POST":
        return _signup_page(request)
    return _chosen(request) if forms.SEAL in request.POST else _begun(request)


@caching.public
def _signup_page(request: HttpRequest) -> HttpResponse:
    shown = _first_step(forms.AddressForm(auto_id="signup_%s"), request.GET)
    shown["head"] = _head(request, pgettext("noun", "Subscribe"))
    return render(request, "subscribers/subscribe.html", shown)


def _head(request: HttpRequest, title: str, *, noindex: bool = False) -> heads.Head:
    return heads.page(publication=context.of(request), path=request.path, title=title, description="", noindex=noindex)


def _begun(request: HttpRequest) -> HttpResponse:
    """The second step for an address. Nothing is looked up or stored: no text was shown yet to agree to."""
    form = forms.AddressForm(request.POST, auto_id="signup_%s")
    if not form.is_valid():
        shown = _first_step(form, request.POST)
        return _came_back(render(request, "subscribers/subscribe.html", shown, status=422))
    began_at = request_context.page_before(request) or request.path
    initial, parts = forms.carried(request.POST), shared_parts.of(request)
    choices = forms.SignupForm(now=timezone.now(), page=began_at, initial=initial, parts=parts)
    return _choices(request, choices, status=200)


def _choices(request: HttpRequest, form: forms.SignupForm, *, status: int) -> HttpResponse:
    waited = request.POST.get(effort.WAITED, "")
    asked = effort.ask(waited=waited, now=form.now) if signup_breaker.has_tripped(now=form.now) else None
    return _came_back(render(request, "subscribers/choices.html", {"form": form, "asked": asked}, status=status))


def _chosen(request: HttpRequest) -> HttpResponse:
    form = forms.SignupForm(request.POST, now=timezone.now(), page=request.path, parts=shared_parts.of(request))
    if not request_context.is_from_here(request):
        form.refuse(str(ELSEWHERE))
    if not form.is_valid():
        return _choices(request, form, status=422)
    try:
        _pay(request, form.now)
        _request(request, form)
    except effort.NotYet as refusal:
        return _waiting(request, refusal.asked)
    except throttle.Crowded as refusal:
        form.refuse(str(refusal), untick=False)
        return request_context.later(_choices(request, form, status=429), refusal)
    return request_context.SeeOther(reverse("subscribe_sent"))


def _pay(request: HttpRequest, now: datetime) -> None:
    """While the circuit breaker is tripped, take what the browser has computed or its reader has waited."""
    if signup_breaker.has_tripped(now=now):
        work, waited = request.POST.get(effort.WORK, ""), request.POST.get(effort.WAITED, "")
        effort.accept(work=work, waited=waited, ip=client_address.client_ip(request), now=now)


def _waiting(request: HttpRequest, asked: effort.Asked) -> HttpResponse:
    """The form as it was sent, to be sent again: by the button, once its reader has waited."""
    ours = {effort.WORK, effort.WAITED}
    sent = [(name, value) for name, values in request.POST.lists() if name not in ours for value in values]
    return _came_back(render(request, "subscribers/waiting.html", {"asked": asked, "sent": sent}, status=422))


def _first_step(form: forms.AddressForm, sent: QueryDict) -> dict[str, object]:
    offered = [offer.newsletter for offer in cadence_options.offered()]
    named = sent.getlist("newsletters") + sent.getlist("newsletter")
    return {"form": form, "offered": offered, "chosen": [row for row in offered if row.slug in named]}


def _came_back(response: HttpResponse) -> HttpResponse:
    """A page with what somebody typed, whose form `is_from_here` will check."""
    return request_context.private(response, referrer="same-origin")


def _request(request: HttpRequest, form: forms.SignupForm) -> None:
    """Pass a valid form on as far as the limits allow; the reader does not learn how far that was."""
    address, evidence = (
        form.cleaned_data["address"],
        request_context.evidence(
            request, source="form", page=form.page, versions=form.terms.versions, form_text=form.terms.text
        ),
    )
    within_limits = throttle.signup(address=address, ip=evidence.ip)
    signup.request(
        address=address,
        newsletter_cadences=form.wishes,
        evidence=evidence,
        now=form.now,
        dry_run=not within_limits,
    )


@caching.public
def subscribe_sent(request: HttpRequest) -> HttpResponse:
    """Look in your inbox."""
    return render(request, "subscribers/subscribe_sent.html")


# As for `subscribe`: no cookie, and all that a forged POST achieves is one mail to the address's owner.
@csrf_exempt
def preferences_link(request: HttpRequest) -> HttpResponseBase:
    """Have a link to one's own preferences mailed; the answer is the same for every address."""
    if request.method != "POST":
        return _preferences_link_page(request)
    form = forms.TrappedForm(request.POST, auto_id="preferences_%s")
    if not request_context.is_from_here(request):
        form.add_error(None, ELSEWHERE)
    if not form.is_valid():
        return _came_back(render(request, "subscribers/preferences_link.html", {"form": form}, status=422))
    now, address = timezone.now(), form.cleaned_data["address"]
    try:
        within_limits = throttle.preferences(address=address, ip=client_address.client_ip(request))
    except throttle.Crowded as refusal:
        form.add_error(None, str(refusal))
        page = _came_back(render(request, "subscribers/preferences_link.html", {"form": form}))
        return request_context.later(page, refusal)
    preferences.request_link(address=address, now=now, dry_run=not within_limits)
    return request_context.SeeOther(reverse("preferences_sent"))


@caching.public
def _preferences_link_page(request: HttpRequest) -> HttpResponse:
    form = forms.TrappedForm(auto_id="preferences_%s")
    head = _head(request, gettext("Your preferences"), noindex=True)
    return render(request, "subscribers/preferences_link.html", {"form": form, "head": head})


@caching.public
def preferences_sent(request: HttpRequest) -> HttpResponse:
    """A link is on its way, if there is anything to link to."""
    return render(request, "subscribers/preferences_sent.html")


@caching.public
def legal_document(request: HttpRequest, slug: str) -> HttpResponse:
    """The current text of a document, with all its versions."""
    return _legal(request, slug, None)


@caching.public
def legal_version(request: HttpRequest, slug: str, version: int) -> HttpResponse:
    """One published text of a document, current or not."""
    return _legal(request, slug, version)


def _legal(request: HttpRequest, slug: str, number: int | None) -> HttpResponse:
    document = get_object_or_404(LegalDocument, slug=slug)
    shown = legal.published_version(document=document, number=number)
    if shown is None:
        raise Http404("There is no such version.")
    versions = legal.published_versions(document=document, language=shown.language)
    if number is not None:
        language_switch.only_in(request, _in_each_language(shown, context.of(request)))
    is_current = shown == versions[0]
    shown_page = {
        "document": document,
        "version": shown,
        "text": scrolling.reachable(shown.body_html),
        "versions": versions,
        "is_current": is_current,
        "head": heads.page(
            publication=context.of(request),
            path=shown.get_absolute_url(),
            title=document.local.title,
            description="",
            noindex=not is_current,
        ),
    }
    return render(request, "subscribers/legal.html", shown_page)


def _in_each_language(version: LegalVersion, publication: Publication) -> dict[str, str]:
    """Paths for the language switch: a version is one text in one language, so the others have their newest one."""
    others = {each: languages.path_in(each, "legal", args=[version.document.slug]) for each in publication.languages}
    return others | ({version.language: version.get_absolute_url()} if version.language in others else {})
