"""The headers that differ between reader pages and the admin."""

from typing import TYPE_CHECKING

from csp.middleware import CSPMiddleware
from csp.middleware import PolicyParts as Parts
from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


class ContentSecurityPolicy(CSPMiddleware):
    """The reader's policy everywhere, the admin's under /admin/; a view's own decorator wins."""

    def get_policy_parts(
        self, request: "HttpRequest", response: "HttpResponseBase", report_only: bool = False
    ) -> Parts:
        """The policy of this response."""
        parts = super().get_policy_parts(request, response, report_only)
        if parts.config is None and not report_only and request.path_info.startswith("/admin/"):
            parts.config = dict(settings.ADMIN_CONTENT_SECURITY_POLICY)
        return parts
