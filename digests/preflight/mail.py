"""The mail as it is sent: its size, its parts, where its links lead, how one unsubscribes."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from core import link_check
from digests import mail_size
from digests.freezing import Prepared
from digests.preflight.findings import Finding, finding

# A share of the limit from which on an editor should know.
NEAR: Final = 0.9
LEAST_TEXT: Final = 40
# All pictures of a mail together, in bytes.
HEAVY: Final = 1_500_000
PICTURE: Final = re.compile(r"<img[^>]*\ssrc=\"([^\"]+)\"", re.IGNORECASE)
PRIVATE_NAMES: Final = (".local", ".localhost", ".internal", ".lan", ".test", ".invalid")
STAGING: Final = re.compile(r"^(?:staging|stage|dev|test|preview)\d*[.-]|\.(?:staging|dev-site)\.", re.IGNORECASE)


def check(*, prepared: Prepared) -> Iterator[Finding]:
    """What the rendered mail shows."""
    snapshot = prepared.snapshot
    yield from _size(snapshot.html)
    if len(snapshot.text.strip()) < LEAST_TEXT:
        yield finding("text_missing", _("The mail has no text part, which some readers and all filters look at."))
    yield from _unsubscribing(snapshot.html, snapshot.text, {name.lower() for name, _value in snapshot.headers})
    yield from _links(snapshot.html)
    yield from _weight(snapshot.html)


def is_private(url: str) -> bool:
    """Whether only somebody inside of a network could open the address."""
    host = (urlsplit(url).hostname or "").lower().rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_NAMES) or bool(STAGING.search(host))


def is_own(url: str) -> bool:
    """Whether the address is one of this site's."""
    return urlsplit(url).netloc == urlsplit(settings.SITE_URL).netloc


def _size(html: str) -> Iterator[Finding]:
    size = mail_size.sent_size(html)
    kilobytes = {"size": round(size / 1024), "limit": round(mail_size.LIMIT / 1024)}
    if size > mail_size.LIMIT:
        text = _("The mail has %(size)s KB; Gmail hides what comes after %(limit)s KB, and the link to unsubscribe.")
        yield finding("clipped", text, **kilobytes)
    elif size > NEAR * mail_size.LIMIT:
        yield finding("nearly_clipped", _("The mail has %(size)s of the %(limit)s KB that Gmail shows."), **kilobytes)


def _unsubscribing(html: str, text: str, headers: set[str]) -> Iterator[Finding]:
    if "%%unsubscribe_url%%" not in html or "%%unsubscribe_url%%" not in text:
        yield finding("unsubscribe_missing", _("A part of the mail has no link to unsubscribe."))
    if not {"list-unsubscribe", "list-unsubscribe-post"} <= headers:
        yield finding("list_headers_missing", _("The headers have no one-click unsubscribe, which Gmail demands."))


def _links(html: str) -> Iterator[Finding]:
    if settings.EMAIL_TRANSPORT != "local" and is_private(settings.SITE_URL):
        text = _("The site's own address, %(url)s, is not public: no link of this mail would work.")
        yield finding("site_private", text, url=settings.SITE_URL)
    for url in link_check.links_in(html):
        if is_own(url):
            continue
        if is_private(url):
            yield finding("private_link", _("Readers cannot open %(url)s: it is a test or an inner address."), url=url)
        elif url.startswith("http:"):
            yield finding("insecure_link", _("%(url)s is not encrypted (http instead of https)."), url=url)


def _weight(html: str) -> Iterator[Finding]:
    weight = sum(_bytes(url) for url in dict.fromkeys(PICTURE.findall(html)))
    if weight > HEAVY:
        text = _("The pictures have %(size)s MB together; on a phone they load slowly.")
        yield finding("heavy_pictures", text, size=f"{weight / 1_000_000:.1f}")


def _bytes(url: str) -> int:
    """Bytes of a picture of ours that lies beside the site; those of others are not fetched."""
    path = urlsplit(url).path
    if not (is_own(url) and path.startswith(settings.MEDIA_URL)):
        return 0
    try:
        return int(default_storage.size(unquote(path.removeprefix(settings.MEDIA_URL))))
    except OSError:
        return 0
