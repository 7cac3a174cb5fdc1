"""The URLs of the publication's stylesheet and icon, and absolute URLs for mails and feeds."""

from urllib.parse import urljoin

from django.conf import settings
from django.urls import URLPattern, URLResolver, path, re_path

from publication import media, views

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^site-(?P<digest>[0-9a-f]{12})\.css$", views.sheet, name="sheet"),
    path("media/<path:name>", media.serve, name="media"),
]


def absolute(location: str) -> str:
    """The whole address of a location on this site; one that is whole already stays as it is."""
    if location.startswith("/") and not location.startswith("//"):
        return f"{settings.SITE_URL}{location}"
    return urljoin(f"{settings.SITE_URL}/", location)
