"""Where issues are read and providers report."""

from django.urls import URLPattern, URLResolver, path

from digests import click_views, embedding, feeds, views
from digests.feedback import webhooks
from publication.feed_formats import KINDS

urlpatterns: list[URLPattern | URLResolver] = [
    path("newsletters/", views.newsletters, name="newsletters"),
    path("newsletters/<slug:slug>/", views.newsletter, name="newsletter"),
    path("newsletters/<slug:slug>/embed/", embedding.newsletter, name="newsletter_embed"),
    *(
        path(f"newsletters/<slug:slug>/feed.{kind}", feeds.newsletter, {"kind": kind}, name=f"newsletter_{kind}")
        for kind in KINDS
    ),
    path("newsletters/<slug:slug>/<int:number>/", views.issue, name="issue"),
    path("newsletters/<slug:slug>/<int:number>/stories/", views.issue_stories, name="issue_stories"),
    path("l/<str:token>/", click_views.follow, name="click"),
    path("webhooks/<slug:provider>/", webhooks.receive, name="webhook"),
]
