"""Pages of readers in a frame of the desk: nothing in what is not public yet acts as its reader (decision 0111)."""

from collections.abc import Callable
from typing import Any, Final

from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.clickjacking import xframe_options_sameorigin

View = Callable[..., HttpResponseBase]

# The real page with the reader's policy, in a box of its own.
PAGE_POLICY: Final[dict[str, Any]] = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | {
    "frame-ancestors": ["'self'"],
    "script-src": ["'none'"],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}
# The frame beside the form. It runs no script, and so may be of our origin: the page around it puts in the words and
# leaves the reader's place where it was.
FRAME_POLICY: Final[dict[str, Any]] = PAGE_POLICY | {"sandbox": [*PAGE_POLICY["sandbox"], "allow-same-origin"]}
EMPTY: Final = "<!doctype html><html lang='en'><title>Preview</title><body></body></html>"


def page(view: View) -> View:
    """A view that answers a script of ours with a page for the frame."""
    shown: View = csp_replace(PAGE_POLICY)(view)
    return shown


def frame(view: View) -> View:
    """A view that answers with what the frame is at first."""
    framed: View = xframe_options_sameorigin(csp_replace(FRAME_POLICY)(view))
    return framed


def unindexed(response: HttpResponse) -> HttpResponse:
    """A page that is for editors only, and kept nowhere."""
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
