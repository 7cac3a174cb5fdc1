"""HTTP caching of public pages: any cache may store them and must revalidate each time."""

import functools
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from core import page_tags

# The sign-up form carries signed values that differ each time and grow too old after a day;
# they are no news to a reader, and a kept page is renewed long before they expire.
HIDDEN_FIELD = re.compile(rb"<input[^>]*type=\"hidden\"[^>]*>")
RENEWED_EVERY = timedelta(hours=1)
KEPT = "public, max-age=0, must-revalidate"

# Under this name a request has the tags of the page that answered it, for who keeps pages.
PAGE: Final = "newsroom.page"

# django-csp's own mark, which its decorator `csp_update` sets for all responses of a view.
FRAMES: Final = "_csp_update"

View = Callable[..., HttpResponse]
Response = TypeVar("Response", bound=HttpResponseBase)


def public(view: View) -> Callable[..., HttpResponseBase]:
    """A page for everybody: GET and HEAD only, no cookie, and 304 for those who have it already.

    The ETag is made of what the page says, so no change of a name, a colour or a
    template is ever missed. A view may set Last-Modified for those who ask by date.
    """

    @require_safe
    @functools.wraps(view)
    def cached(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        now = timezone.now()
        with page_tags.collecting() as page:
            response = view(request, *args, **kwargs)
            page_tags.this_hour(now)
        response.headers.setdefault("Cache-Control", KEPT)
        if response.status_code != 200:
            return response
        request.META[PAGE] = page
        etag = tag_of(response.content, now=now)
        response.headers["ETag"] = etag
        modified = response.headers.get("Last-Modified")
        shown = get_conditional_response(request, etag, _seconds(modified), response) or response
        # Some browsers keep the headers of a 304 for the page that they have.
        return with_frames_of(shown, getattr(response, FRAMES, {}).get("frame-src", []))

    return cached


def tag_of(content: bytes, *, now: datetime) -> str:
    """A weak ETag: the same for the same words within the hour."""
    hour = int(now.timestamp() // RENEWED_EVERY.total_seconds())
    visible = HIDDEN_FIELD.sub(b"", content)
    return f'W/"{hashlib.sha256(visible + str(hour).encode()).hexdigest()[:32]}"'


def changed_at(response: HttpResponse, moment: datetime | None) -> HttpResponse:
    """Say when the page last changed, if that is known."""
    if moment is not None:
        response.headers["Last-Modified"] = http_date(moment.timestamp())
    return response


def with_frames_of(response: Response, origins: list[str]) -> Response:
    """Allow this page, and no other, to frame these origins."""
    if origins:
        setattr(response, FRAMES, {"frame-src": origins})
    return response


def _seconds(header: str | None) -> int | None:
    if header is None:
        return None
    return int(datetime.strptime(header, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp())
