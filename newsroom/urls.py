"""The root URL configuration."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from digests import newsletter_pages, reader_copies, topics
from newsroom import health
from subscribers import personal_views, preference_views

# /healthz and /readyz are answered before this, by newsroom.health.probes.
urlpatterns: list[URLPattern | URLResolver] = [
    path("metrics", health.figures, name="metrics"),
    path("admin/", include("newsroom.desk.urls")),
    path("admin/", include("staff.urls")),
    path("admin/", admin.site.urls),
    path("", include("digests.urls")),
    path("", include("subscribers.urls")),
    # The reader's own pages, with what only the sending app knows: how many mails come, which have, and on
    # which topics stories can be.
    path(
        "preferences/<str:token>/",
        preference_views.preferences_page,
        {"a_week": newsletter_pages.a_week, "catalogue": topics.offered},
        name="preferences",
    ),
    path(
        "preferences/<str:token>/data/",
        personal_views.data_page,
        {"copies": reader_copies.of},
        name="personal_data",
    ),
    path(
        "preferences/<str:token>/data.json",
        personal_views.data_file,
        {"copies": reader_copies.of},
        name="personal_data_file",
    ),
    path("", include("publication.urls")),
    path("", include("publication.brand_urls")),
    path("", include("articles.urls")),
]

if settings.DEBUG and settings.EMAIL_TRANSPORT == "local":
    urlpatterns.insert(0, path("inbox/", include("mailkit.inbox.urls")))
