"""Middleware that answers 503 while the database is unreachable or a disk is full."""

import errno
import logging
from collections.abc import Callable
from typing import Final

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 30
# The disk, the quota or the table of open files is full.
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
SENTENCE: Final = _("The site cannot answer just now. Please try again in half a minute.")


class AwayMiddleware:
    """503 with Retry-After instead of an error page: nothing was changed, and a retry is worthwhile."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The 503 if the view could not reach the database, or a disk was full; None for other faults."""
        return response_to(exception)


def response_to(exception: Exception) -> HttpResponse | None:
    """The 503 for a temporary fault; None for other faults."""
    if not _is_temporary(exception):
        return None
    log.error("the database or the disk does not serve: %s", type(exception).__name__)
    response = HttpResponse(f"{SENTENCE}\n", status=503, content_type="text/plain; charset=utf-8")
    response["Retry-After"] = str(RETRY_SECONDS)
    response["Cache-Control"] = "no-store"
    return response


def _is_temporary(exception: Exception) -> bool:
    """Whether the operator can repair the fault, after which the same request succeeds."""
    if isinstance(exception, OSError):
        return exception.errno in FULL
    return isinstance(exception, OperationalError | InterfaceError)
