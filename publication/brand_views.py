"""The icons, the card and the manifest of the publication, for browsers and link previews."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.urls import get_script_prefix
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from core import drawings
from publication import brand, colours, context, languages
from publication.media import IMMUTABLE, TYPES
from publication.models import Publication


@require_safe
def picture(_request: HttpRequest, digest: str, kind: str, extension: str) -> HttpResponse:
    """An icon or the card. An address of yesterday leads to that of today."""
    publication = Publication.objects.current()
    if kind != brand.SHARE and kind not in brand.ICONS:
        raise Http404("There is no such picture.")
    here = brand.path(publication, kind)
    if here != f"/{brand.FOLDER}/{digest}-{kind}.{extension}":
        return for_now(here)
    try:
        return immutable(brand.content(publication, kind), extension)
    except drawings.NotDrawn:
        return for_now(static("img/icon.svg"))


def immutable(content: bytes, extension: str) -> HttpResponse:
    """A drawing under an address that tells what it is made of; other sites show it too."""
    response = HttpResponse(content, content_type=TYPES[extension])
    response["Cache-Control"] = IMMUTABLE
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def for_now(address: str) -> HttpResponse:
    """Where a drawing is now, or what is shown in its place; another request may be led elsewhere."""
    response = HttpResponseRedirect(address)
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
@cache_control(public=True, max_age=86_400)
def favicon(_request: HttpRequest) -> HttpResponse:
    """Where browsers look for a sign on pages that name none, such as feeds."""
    return HttpResponseRedirect(brand.path(Publication.objects.current(), "icon-48"))


@require_safe
@cache_control(public=True, max_age=86_400)
def manifest(request: HttpRequest) -> HttpResponse:
    """What a phone needs to put the publication among its programs."""
    publication = context.of(request)
    icons = [
        {
            "src": brand.path(publication, kind),
            "sizes": f"{icon.side}x{icon.side}",
            "type": "image/png",
            "purpose": "maskable" if kind.startswith("maskable") else "any",
        }
        for kind, icon in brand.ICONS.items()
        if icon.side >= 192
    ]
    data = {
        "name": publication.name,
        "short_name": publication.name[:12].strip(),
        "description": publication.strapline,
        "lang": languages.declared(publication=publication),
        "start_url": get_script_prefix(),
        "display": "minimal-ui",
        "background_color": colours.WHITE,
        "theme_color": publication.accent_colour,
        "icons": icons,
    }
    return JsonResponse(data, content_type="application/manifest+json")
