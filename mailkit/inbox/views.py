"""The inbox's pages: newest mail first, and each mail as HTML, text, headers and source.

The HTML of a mail is shown in a sandboxed frame without scripts and with an
origin of its own, whatever the mail contains.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from mailkit import local_mail

PER_PAGE = 50

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]

PAGE_POLICY = {
    "default-src": [NONE],
    "style-src": [SELF],
    "img-src": [SELF],
    "frame-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
# Lax about looks, strict about acts: a mail's own styles and pictures, but no script, form or frame.
MAIL_POLICY = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["*", "data:"],
    "form-action": [NONE],
    "base-uri": [NONE],
    "frame-ancestors": [SELF],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}
# A mail program opens links outside the mail; so does this frame.
OPEN_OUTSIDE = '<base target="_blank">'


def only_while_developing(view: View[Rest]) -> View[Rest]:
    """404 unless this is a laptop: mails hold addresses and links that act."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponseBase:
        if not (settings.DEBUG and settings.EMAIL_TRANSPORT == "local"):
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@only_while_developing
@never_cache
@csp(PAGE_POLICY)
@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """All mails, newest first; a search is a POST so that no address gets into a URL or a log."""
    recipient = request.POST.get("recipient", "").strip()
    number = request.POST.get("page") or request.GET.get("page")
    page: Page[local_mail.LocalMail] | Page[str]
    if recipient:
        page = Paginator(local_mail.read_all(recipient=recipient)[::-1], PER_PAGE).get_page(number)
        mails = [mail for mail in page.object_list if isinstance(mail, local_mail.LocalMail)]
    else:
        page = Paginator(local_mail.names()[::-1], PER_PAGE).get_page(number)
        mails = [local_mail.read(str(name)) for name in page.object_list]
    return render(request, "inbox/list.html", {"mails": mails, "page": page, "recipient": recipient})


@only_while_developing
@never_cache
@csp(PAGE_POLICY)  # type: ignore[arg-type]  # django-csp types only views without parameters
@require_safe
def mail(request: HttpRequest, name: str, part: str) -> HttpResponse:
    """One mail: its envelope, and the part that was asked for."""
    one = _find(name)
    context = {
        "mail": one,
        "part": part,
        "headers": [(key, str(value)) for key, value in one.message.items()],
        "source": one.raw.decode("utf-8", "replace"),
    }
    return render(request, "inbox/mail.html", context)


@only_while_developing
@never_cache
@csp(MAIL_POLICY)  # type: ignore[arg-type]  # as above
@xframe_options_sameorigin
@require_safe
def body(_request: HttpRequest, name: str) -> HttpResponse:
    """The HTML part alone, for the frame."""
    html = _find(name).html
    if not html:
        raise Http404
    head, opening, rest = html.partition("<head>")
    return HttpResponse(f"{head}{opening}{OPEN_OUTSIDE}{rest}" if opening else OPEN_OUTSIDE + html)


def _find(name: str) -> local_mail.LocalMail:
    try:
        return local_mail.read(name)
    except local_mail.NoSuchMail:
        raise Http404 from None
