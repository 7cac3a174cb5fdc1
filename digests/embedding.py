"""The card of a newsletter that another site shows in a frame."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from core import caching, page_tags
from publication import oembed
from subscribers.models import Newsletter


@oembed.framable
@caching.public
def newsletter(request: HttpRequest, slug: str) -> HttpResponse:
    """What the newsletter says, and a link to its page: a form in a frame could be laid under a stranger's button."""
    letter = get_object_or_404(Newsletter, slug=slug)
    page_tags.add(f"newsletter:{letter.pk}")
    response = render(request, "digests/embed.html", {"newsletter": letter})
    response["X-Robots-Tag"] = "noindex"
    return response


@oembed.describes("newsletter")
def describe(slug: str) -> oembed.Card | None:
    """What oEmbed says of a newsletter."""
    letter = Newsletter.objects.filter(slug=slug).first()
    if letter is None:
        return None
    page_tags.add(f"newsletter:{letter.pk}")
    return oembed.Card(title=letter.local.name, frame=reverse("newsletter_embed", args=[letter.slug]))
