"""Whether readers see pictures: one that is stored is fetched, as a browser would.

Asked by bin/run of the web server that it has started, and by `manage.py check --deploy` of SITE_URL.
"""

import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  # Django's own name for it
from django.db import DatabaseError
from django.utils.translation import gettext as _

SECONDS = 5


def fault(*, site: str, headers: dict[str, str] | None = None) -> str | None:
    """What `site` answers instead of a picture, in a sentence; None if it shows one, has none, or is not there.

    `site` is where to ask, as http://127.0.0.1:8000; `headers` are what a proxy would add.
    """
    name = _stored()
    if not name:
        return None
    url = f"{site}{settings.MEDIA_URL}{name}"
    request = urllib.request.Request(url, headers={"Range": "bytes=0-0", **(headers or {})})  # noqa: S310  # http(s), ours
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310  # as above
            kind = str(response.headers.get_content_type())
    except urllib.error.HTTPError as error:
        return _("Pictures do not show: %(url)s answers %(code)d.") % {"url": url, "code": error.code}
    except OSError:
        return None
    if kind.startswith("image/"):
        return None
    return _("Pictures do not show: %(url)s answers with %(kind)s.") % {"url": url, "kind": kind}


def at_start(*, server: str) -> str | None:
    """What is to be said of pictures once the web server answers at `server`; None if nothing is wrong.

    Where a proxy serves them, the public address is asked.
    """
    public = urlsplit(settings.SITE_URL)
    headers = {"Host": public.netloc}
    if settings.SECURE_PROXY_SSL_HEADER:
        headers["X-Forwarded-Proto"] = public.scheme
    wrong = fault(site=server, headers=headers) if settings.SERVE_MEDIA else fault(site=settings.SITE_URL)
    return f"{wrong} {advice()}" if wrong else None


def advice() -> str:
    """What to do about a fault."""
    if settings.SERVE_MEDIA:
        return _(
            "Look whether MEDIA_ROOT (%(path)s) has the file and the site may read it; on several machines it is "
            "shared. A proxy that answers /media/ itself must serve that directory."
        ) % {"path": settings.MEDIA_ROOT}
    return _("Let the proxy serve MEDIA_ROOT (%(path)s) at /media/, or set SERVE_MEDIA=1.") % {
        "path": settings.MEDIA_ROOT
    }


@register(Tags.files, deploy=True)
def pictures(**_options: Any) -> list[CheckMessage]:
    """One warning if the public address answers and shows no picture; before the first start nobody answers."""
    try:
        sentence = fault(site=settings.SITE_URL)
    except DatabaseError:
        return []  # another check says so
    return [Warning(sentence, hint=advice(), id="newsroom.W036")] if sentence else []


def _stored() -> str:
    """The file of the newest picture, or of the logo; empty if there is neither."""
    # bin/run imports this module before Django's models can be.
    image, publication = apps.get_model("articles", "Image"), apps.get_model("publication", "Publication")
    pictures = image._default_manager.exclude(file="").order_by("-pk")  # noqa: SLF001  # Django's documented name
    logos = publication._default_manager.exclude(logo="")  # noqa: SLF001  # as above
    newest = pictures.values_list("file", flat=True).first() or logos.values_list("logo", flat=True).first()
    return str(newest or "")
