"""Which requests may be answered with a cached page, and the key of that page."""

from typing import Any, Final

from django.conf import settings

from newsroom import languages

Environment = dict[str, Any]
Key = tuple[str, str, str, str, str]

# What has no page, or serves files.
ELSEWHERE: Final = (
    languages.ADMIN, *languages.MACHINES, settings.STATIC_URL, settings.MEDIA_URL, "/healthz", "/readyz",
)  # fmt: skip
# Clicks are counted by those who put these into a link; no page of ours reads them.
TRACKING: Final = ("utm_", "fbclid=", "gclid=", "msclkid=", "mc_cid=", "mc_eid=", "yclid=")
LONGEST_QUERY: Final = 2_000
# A page of a list. Numbers above are nobody's, and would be cached for nothing.
DIGITS: Final = 5
# Conditions that only Django judges.
CONDITIONS: Final = ("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_AUTHORIZATION")
_PROTOCOL: Final = (settings.SECURE_PROXY_SSL_HEADER or ("",))[0]


def key(environ: Environment) -> Key | None:
    """The key of the page that is requested; None if Django is to respond."""
    path: str = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or path.startswith(ELSEWHERE) or environ.get("SCRIPT_NAME"):
        return None
    if any(name in environ for name in CONDITIONS) or _is_signed_in(environ):
        return None
    asked = environ.get("QUERY_STRING", "")
    page = _page(asked) if asked else ""
    if page is None:
        return None
    return (path, page, environ.get("HTTP_HOST", ""), environ["wsgi.url_scheme"], environ.get(_PROTOCOL, ""))


def query(key: Key) -> str:
    """All that Django hears of the query: the page is for everybody, whatever was in the first visitor's link."""
    _path, page, *_ = key
    return f"page={page}" if page else ""


def _is_signed_in(environ: Environment) -> bool:
    return f"{settings.SESSION_COOKIE_NAME}=" in environ.get("HTTP_COOKIE", "")


def _page(query: str) -> str | None:
    """The number of the page that the query asks for, empty without one; None if it asks for something else."""
    if len(query) > LONGEST_QUERY:
        return None
    page = ""
    for part in query.split("&"):
        if not part or part.startswith(TRACKING):
            continue
        name, _, value = part.partition("=")
        if name != "page" or page or not (value.isascii() and value.isdecimal() and len(value) <= DIGITS):
            return None
        page = value
    return page
