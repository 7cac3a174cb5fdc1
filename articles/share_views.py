"""The card of a story, for link previews."""

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from articles import share_cards, tasks
from articles.models import Article
from core import soft_cache
from publication import brand, brand_views, context

# A card that is not drawn by then is asked for again.
ASKED_AGAIN_SECONDS: Final = 60


@require_safe
def card(request: HttpRequest, pk: int, digest: str) -> HttpResponse:
    """The card; until a worker has drawn it, the way to the story's picture. A former address leads to today's."""
    article = Article.objects.published().select_related("lead_image").filter(pk=pk).first()
    if article is None:
        raise Http404("There is no such story.")
    publication = context.of(request)
    here = share_cards.path(article, publication)
    if digest != share_cards.digest(article, publication):
        return brand_views.for_now(here)
    if drawn := brand.read(here[1:]):
        return brand_views.immutable(drawn, "jpg")
    # One task for all who ask meanwhile: a link that is shared is fetched by many machines at once.
    if soft_cache.claim(f"share-card:{pk}:{digest}", seconds=ASKED_AGAIN_SECONDS):
        tasks.draw_share_card.delay_on_commit(pk)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
    return brand_views.for_now(share_cards.instead(article, publication))
