"""The URLs of the development inbox."""

from django.urls import URLPattern, URLResolver, path

from mailkit.inbox import views

app_name = "inbox"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.listing, name="list"),
    path("<str:name>/", views.mail, {"part": "html"}, name="mail"),
    path("<str:name>/text/", views.mail, {"part": "text"}, name="text"),
    path("<str:name>/headers/", views.mail, {"part": "headers"}, name="headers"),
    path("<str:name>/source/", views.mail, {"part": "source"}, name="source"),
    path("<str:name>/body/", views.body, name="body"),
]
