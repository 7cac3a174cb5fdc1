"""Uploaded pictures as readers get them: whole, in part (RFC 9110, section 14), or not at all if they have them.

A name is new for every upload, so its content never changes and may be cached for a year.
Nothing but pictures that we encoded ourselves is served, whatever else lies in MEDIA_ROOT.
"""

import os
import re
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

TYPES: Final = {"avif": "image/avif", "jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
# No dot at a beginning, and so neither a hidden file nor a way up.
NAME: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*\.(?P<kind>avif|jpg|png|webp)")
RANGE: Final = re.compile(r"bytes=(?P<first>[0-9]{0,15})-(?P<last>[0-9]{0,15})", re.ASCII)
IMMUTABLE: Final = "public, max-age=31536000, immutable"
NOTHING: Final = "There is no picture at this address.\n"


@require_safe
def serve(request: HttpRequest, name: str) -> HttpResponseBase:
    """The picture, or 304, 206, 416 and 404 as HTTP has them. No cookie, no query of the database."""
    match = NAME.fullmatch(name)
    file = _open(name) if match and settings.SERVE_MEDIA else None
    if match is None or file is None:
        response: HttpResponse = HttpResponseNotFound(NOTHING, content_type="text/plain; charset=utf-8")
        response["Cache-Control"] = "no-store"
        return response
    with file:
        facts = os.fstat(file.fileno())
        etag, modified = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"', int(facts.st_mtime)
        response = _picture(request, file, facts.st_size, fresh=(etag, http_date(modified)))
    response["Content-Type"] = TYPES[match["kind"]]
    response["ETag"], response["Last-Modified"] = etag, http_date(modified)
    response["Cache-Control"], response["Accept-Ranges"] = IMMUTABLE, "bytes"
    # Mail programs and feed readers show it on pages of their own.
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Content-Disposition"] = "inline"
    return get_conditional_response(request, etag, modified, response) or response


def _open(name: str) -> BinaryIO | None:
    """The regular file of that name inside MEDIA_ROOT; a link that leads out of it is none."""
    root = Path(settings.MEDIA_ROOT).resolve()
    try:
        path = (root / name).resolve(strict=True)
        return path.open("rb") if path.is_file() and path.is_relative_to(root) else None
    except OSError:
        return None


def _picture(request: HttpRequest, file: BinaryIO, size: int, *, fresh: tuple[str, str]) -> HttpResponse:
    """All of the file, or the one part of it that is asked for; only the size of it for HEAD."""
    part = _part(request, size, fresh)
    if part is None:
        first, last, response = 0, size - 1, HttpResponse()
    elif part[0] > part[1]:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return response
    else:
        first, last = part
        response = HttpResponse(status=206)
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Content-Length"] = str(last - first + 1)
    if request.method == "GET":
        file.seek(first)
        response.content = file.read(last - first + 1)
    return response


def _part(request: HttpRequest, size: int, fresh: tuple[str, str]) -> tuple[int, int] | None:
    """The first and the last byte that are wanted; None for all, as also of several parts or an outdated one."""
    match = RANGE.fullmatch(request.headers.get("Range", "").strip().lower())
    if match is None or request.method != "GET" or request.headers.get("If-Range", fresh[0]) not in fresh:
        return None
    first, last = match["first"], match["last"]
    if first:
        is_backwards = last and int(last) < int(first)
        return None if is_backwards else (int(first), min(int(last or size - 1), size - 1))
    return (max(size - int(last), 0), size - 1) if last else None
