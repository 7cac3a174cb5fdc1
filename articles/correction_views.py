"""The public page of corrections, and its feeds."""

from typing import Any, Final

from django.conf import settings
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from articles import corrections, paging
from articles.corrections import Note
from core import caching
from publication import context, feed_formats, heads, languages, urls
from publication.feed_formats import LENGTH, Channel, Entry, Kind

DESCRIPTION: Final = gettext_lazy("What we corrected or withdrew after it was published.")


@caching.public
def page(request: HttpRequest) -> HttpResponse:
    """What was corrected and what was withdrawn, the newest first."""
    publication = context.of(request)
    shown: Page[Any] = paging.page_of(corrections.rows(language=languages.of_pages()), request=request)
    shown.object_list = corrections.notes(shown.object_list)
    head = heads.page(
        publication=publication,
        path=reverse("corrections"),
        title=_("Corrections"),
        description=str(DESCRIPTION),
        number=shown.number,
        kind="CollectionPage",
        listed=[(note.article.headline, note.article.get_absolute_url()) for note in shown if note.article],
        feeds=heads.FeedLink(_title(publication.name), reverse("corrections")),
    )
    return render(request, "articles/corrections.html", {"page": shown, "head": head})


@caching.public
def feed(request: HttpRequest, kind: Kind) -> HttpResponse:
    """The newest of them."""
    publication = context.of(request)
    newest = corrections.notes(corrections.rows(language=languages.of_pages())[:LENGTH])
    channel = Channel(
        title=_title(publication.name),
        path=reverse("corrections"),
        description=str(DESCRIPTION),
        entries=tuple(_entry(note) for note in newest),
        # A note that leaves the list changes it without a date of its own.
        changed_at=None,
    )
    return feed_formats.response(request, kind=kind, channel=channel, publication=publication)


def _title(name: str) -> str:
    return _("%(publication)s: corrections") % {"publication": name}


def _entry(note: Note) -> Entry:
    if note.article is None:
        path, title, name = reverse("corrections"), _("A story was withdrawn"), "withdrawal"
    else:
        path, title, name = note.article.get_absolute_url(), note.article.headline, "correction"
    return Entry(
        identity=f"tag:{settings.SITE_HOST},{note.at:%Y-%m-%d}:{name}/{note.pk}",
        url=urls.absolute(path),
        title=title,
        summary=note.text,
        html=render_to_string("articles/feed_correction.html", {"note": note, "url": urls.absolute(path)}),
        published_at=note.at,
        updated_at=note.at,
    )
