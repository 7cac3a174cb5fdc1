"""Where issues are read and providers report."""

from django.urls import URLPattern, URLResolver, path

from digests import webhooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("webhooks/<slug:provider>/", webhooks.receive, name="webhook"),
]
