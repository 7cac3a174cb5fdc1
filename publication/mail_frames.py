"""A mail's HTML in a frame of the admin."""

from __future__ import annotations

from typing import Final, cast

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse

# A mail has inline styles, because mail programs read no style sheet. It runs no script and loads nothing else.
MAIL_POLICY: Final = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [SELF],
}


def framed(html: str) -> HttpResponse:
    """A mail's HTML for a sandboxed frame: its own styles and our pictures, and nothing else."""
    view = csp(MAIL_POLICY)(lambda _request: HttpResponse(html, headers={"Cache-Control": "no-cache"}))
    response = cast("HttpResponse", view(HttpRequest()))
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response
