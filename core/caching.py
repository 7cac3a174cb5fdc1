"""HTTP caching of public pages: any cache may store them and must revalidate each time."""

import functools
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from core import page_tags

REVALIDATED: Final = "public, max-age=0, must-revalidate"

# For a shared cache that is purged; pages that grow old by themselves stay there for a minute.
_MEANWHILE: Final = "stale-while-revalidate=60, stale-if-error=86400"
SHARED: Final = f"max-age=31536000, {_MEANWHILE}"
SHARED_BRIEFLY: Final = f"max-age=60, {_MEANWHILE}"

# In the environment of a request: the tags of the page; and that it is rendered for a cache: whole, whatever the
# client has already.
PAGE: Final = "newsroom.page"
WHOLE: Final = "newsroom.whole"

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
        with page_tags.collecting() as page:
            response = view(request, *args, **kwargs)
        response.headers.setdefault("Cache-Control", REVALIDATED)
        if response.status_code != 200:
            return response
        request.META[PAGE] = page
        if settings.PAGES.shared_caches:
            _for_shared_caches(response, page)
        response.headers["ETag"] = etag = etag_of(response.content)
        # The cache in front compresses it.
        patch_vary_headers(response, ["Accept-Encoding"])
        if WHOLE in request.META:
            return response
        modified = response.headers.get("Last-Modified")
        shown = get_conditional_response(request, etag, _seconds(modified), response) or response
        # Some browsers keep the headers of a 304 for the page that they have.
        return with_frames_of(shown, getattr(response, FRAMES, {}).get("frame-src", []))

    return cached


def _for_shared_caches(response: HttpResponse, page: page_tags.Page) -> None:
    """What a cache that is purged by tags may know: those of the page, and how long it may store it."""
    tags = sorted(page.tags)
    response.headers["Surrogate-Key"], response.headers["Cache-Tag"] = " ".join(tags), ",".join(tags)
    lifetime = SHARED if page.fresh_until is None else SHARED_BRIEFLY
    response.headers["CDN-Cache-Control"] = response.headers["Surrogate-Control"] = lifetime


def etag_of(content: bytes) -> str:
    """The same for the same words; weak, because compressed pages have it too."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


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
