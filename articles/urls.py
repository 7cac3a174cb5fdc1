"""The URLs of the readers' story pages."""

from django.urls import URLPattern, URLResolver, path

from articles import correction_views, embedding, feeds, search_views, share_views, sitemaps, views
from publication import oembed
from publication.feed_formats import KINDS

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.front, name="front"),
    path("articles/<slug:slug>/", views.article, name="article"),
    path("sections/<slug:slug>/", views.section, name="section"),
    path("tags/<slug:slug>/", views.tag, name="tag"),
    path("authors/<slug:slug>/", views.author, name="author"),
    path("corrections/", correction_views.page, name="corrections"),
    path("search/", search_views.results, name="search"),
    path("search/suggestions/", search_views.suggestions, name="search_suggestions"),
    path("articles/<slug:slug>/embed/", embedding.story, name="article_embed"),
    *(
        each
        for kind in KINDS
        for each in (
            path(f"feed.{kind}", feeds.site, {"kind": kind}, name=f"feed_{kind}"),
            path(f"corrections/feed.{kind}", correction_views.feed, {"kind": kind}, name=f"corrections_{kind}"),
            path(f"sections/<slug:slug>/feed.{kind}", feeds.section, {"kind": kind}, name=f"section_{kind}"),
            path(f"tags/<slug:slug>/feed.{kind}", feeds.tag, {"kind": kind}, name=f"tag_{kind}"),
            path(f"authors/<slug:slug>/feed.{kind}", feeds.author, {"kind": kind}, name=f"author_{kind}"),
        )
    ),
    path("share/<int:pk>/<slug:digest>.jpg", share_views.card, name="share_card"),
    path("oembed/", oembed.provide, name="oembed"),
    path("sitemap.xml", sitemaps.sitemap, name="sitemap"),
    path("sitemap-<int:number>.xml", sitemaps.sitemap_file, name="sitemap_file"),
    path("news-sitemap.xml", sitemaps.news_sitemap, name="news_sitemap"),
    path("llms.txt", sitemaps.llms, name="llms"),
    path("robots.txt", sitemaps.robots, name="robots"),
]
