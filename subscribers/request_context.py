"""Shared by the reader pages: the evidence of a request, and the headers of pages that a link opens."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from core import client_address
from publication import urls as site
from subscribers import consent, links, throttle
from subscribers.models import LegalVersion

View: TypeAlias = Callable[..., HttpResponse]


class SeeOther(HttpResponseRedirect):
    """303: the answer to this POST is read at another address, with GET."""

    status_code = 303


def evidence(
    request: HttpRequest,
    *,
    source: str,
    page: str = "",
    versions: Sequence[LegalVersion] = (),
    form_text: str = "",
) -> consent.Evidence:
    """What is kept of this request as proof. `page` is the path of the form, without any token."""
    return consent.Evidence(
        ip=client_address.client_ip(request),
        user_agent=request.META.get("HTTP_USER_AGENT", ""),
        form_url=site.absolute(page) if page else "",
        locale=get_language() or "",
        versions=versions,
        form_text=form_text,
        source=source,
    )


def is_from_here(request: HttpRequest) -> bool:
    """Whether a POST may come from a page of ours: browsers name the origin, other clients need not."""
    origin = request.headers.get("Origin")
    return origin is None or origin.lower() in _own_origins(request)


def page_before(request: HttpRequest) -> str:
    """The path of our page from which this request was sent, as the browser names it; empty if it does not."""
    before = urlsplit(request.headers.get("Referer", ""))
    return before.path if f"{before.scheme}://{before.netloc}".lower() in _own_origins(request) else ""


def opened_by_link(view: View) -> View:
    """Decorates a page whose address holds a token: stored by no cache, passed to no other site, and itself the proof.

    A link that does not work answers one neutral page, whatever is wrong with it.
    The token is a secret that only the mailbox knows, so another site cannot
    forge a POST to it and there is no cookie to ride on: no CSRF token is needed,
    and mail programs could not bring one (RFC 8058).
    """

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except links.LinkRefused as refusal:
            response = render(request, "subscribers/link_refused.html", status=410 if refusal.expired else 400)
        return private(response)

    return csrf_exempt(page)


def later(response: HttpResponse, refusal: throttle.Crowded) -> HttpResponse:
    """Say to programs too when to come back."""
    response.status_code = 429
    response["Retry-After"] = str(refusal.seconds)
    return response


def private(response: HttpResponse, *, referrer: str = "no-referrer") -> HttpResponse:
    """Mark a response as one reader's own.

    A form that `is_from_here` will check needs `same-origin`: under `no-referrer`
    browsers send its POST with "Origin: null".
    """
    response["Cache-Control"] = "no-store, private"
    response["Referrer-Policy"] = referrer
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _own_origins(request: HttpRequest) -> set[str]:
    own = urlsplit(settings.SITE_URL)
    return {f"{own.scheme}://{own.netloc}".lower(), f"{request.scheme}://{request.get_host()}".lower()}
