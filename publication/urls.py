"""Where the publication's own colours are read."""

from django.urls import URLPattern, URLResolver, path

from publication import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("colours.css", views.colours, name="colours"),
]
