"""Middleware for security headers, which differ between reader pages and the admin, and for refusing NUL in URLs."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.middleware import PolicyParts as Parts
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpResponseBadRequest

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

ADMIN: Final = "/admin/"
PERMISSIONS: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "geolocation", "gyroscope", "hid",
        "idle-detection", "magnetometer", "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip
# By the beginnings of their content types: what a page loads and nobody opens. (A picture may be SVG, which is a page.)
PARTS_OF_PAGES: Final = ("font/", "text/css", "text/javascript")
NO_TEXT: Final = "This address asks for a character that no text has (%00). Please remove it and try again.\n"


def refuse_nul(
    get_response: "Callable[[HttpRequest], HttpResponseBase]",
) -> "Callable[[HttpRequest], HttpResponseBase]":
    """Middleware: 400 for an admin URL with a NUL, because filters and searches become PostgreSQL text."""

    def handle(request: "HttpRequest") -> "HttpResponseBase":
        asked = request.path_info.startswith(ADMIN)
        if asked and ("\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", "")):
            return HttpResponseBadRequest(NO_TEXT, content_type="text/plain; charset=utf-8")
        return get_response(request)

    return handle


def permissions(
    get_response: "Callable[[HttpRequest], HttpResponseBase]",
) -> "Callable[[HttpRequest], HttpResponseBase]":
    """Middleware: every response denies its page, and the frames in it, the browser features that no page uses.

    Except for what is never a page: a story loads seven of these, with 250 bytes each.
    """

    def handle(request: "HttpRequest") -> "HttpResponseBase":
        response = get_response(request)
        if not response.headers.get("Content-Type", "").startswith(PARTS_OF_PAGES):
            response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response

    return handle


class ContentSecurityPolicy(CSPMiddleware):
    """The reader's policy everywhere, the admin's under /admin/; a view's own decorator wins."""

    def process_response(self, request: "HttpRequest", response: "HttpResponseBase") -> "HttpResponseBase":
        """Most pages have the reader's policy as it is, which is put together once."""
        is_plain = self.get_policy_parts(request, response) == Parts() and not getattr(response, "_csp_exempt", False)
        if settings.DEBUG or not is_plain or HEADER in response.headers:
            return super().process_response(request, response)
        response.headers[HEADER] = _readers_policy()
        return response

    def get_policy_parts(
        self, request: "HttpRequest", response: "HttpResponseBase", report_only: bool = False
    ) -> Parts:
        """The policy of this response."""
        parts = super().get_policy_parts(request, response, report_only)
        if parts.config is None and not report_only and request.path_info.startswith(ADMIN):
            parts.config = dict(settings.ADMIN_CONTENT_SECURITY_POLICY)
        return parts


@functools.cache
def _readers_policy() -> str:
    return build_policy()
