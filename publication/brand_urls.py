"""Where the publication's icons, its card and its manifest are."""

from django.urls import URLPattern, URLResolver, path, re_path

from publication import brand_views

urlpatterns: list[URLPattern | URLResolver] = [
    path("favicon.ico", brand_views.favicon, name="favicon"),
    path("site.webmanifest", brand_views.manifest, name="manifest"),
    re_path(
        r"^brand/(?P<digest>[0-9a-f]{16})-(?P<kind>[a-z0-9-]{1,20})\.(?P<extension>png|jpg)$",
        brand_views.picture,
        name="brand",
    ),
]
