"""The root URL configuration."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from newsroom import health

# /healthz and /readyz are answered before this, by newsroom.health.probes.
urlpatterns: list[URLPattern | URLResolver] = [
    path("metrics", health.figures, name="metrics"),
    path("admin/", include("newsroom.desk.urls")),
    path("admin/", include("staff.urls")),
    path("admin/", admin.site.urls),
    path("", include("digests.urls")),
    path("", include("subscribers.urls")),
    path("", include("publication.urls")),
    path("", include("publication.brand_urls")),
    path("", include("articles.urls")),
]

if settings.DEBUG and settings.EMAIL_TRANSPORT == "local":
    urlpatterns.insert(0, path("inbox/", include("mailkit.inbox.urls")))
