"""Follow a counted link of an issue. Nothing is looked up, and nobody waits."""

from __future__ import annotations

import time

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe

from core import client_address
from digests import click_rules, clicks
from subscribers import privacy


@require_safe
def follow(request: HttpRequest, token: str) -> HttpResponse:
    """Lead on to the address of the link, and count that. On failure: Http404 for an address that nobody signed."""
    to = request.GET.get("to", "")
    link = clicks.read(token=token, to=to)
    target = link.url if link else clicks.own_page(to=to)
    if target is None:
        raise Http404("This link is not one of ours.")
    if link is not None:
        clicks.note(visit=_visit(request, link))
    return HttpResponseRedirect(
        target, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
    )


def _visit(request: HttpRequest, link: clicks.Link) -> click_rules.Visit:
    """What the rule needs to know, and nothing else: the network is cut, the program is a number."""
    ip = client_address.client_ip(request)
    sign = click_rules.sign_of_machine(
        method=request.method or "", headers=request.headers, is_secure=request.is_secure()
    )
    return click_rules.Visit(
        issue_id=link.issue_id,
        url=link.url,
        network=privacy.wide_network(ip) if ip else "",
        agent=hash(request.headers.get("User-Agent", "")),
        at=time.monotonic(),
        is_machine=bool(sign),
    )
