"""The scheduled task of this app: publish stories that are due, and forget what nobody came back for."""

import logging
from datetime import datetime

from celery import shared_task

from articles import images, publishing, share_cards, working_copies
from articles.models import Article
from core import database_clock

log = logging.getLogger(__name__)

# More than this in one minute wait for the next.
AT_ONCE = 200
# Each takes seconds of the processor.
PICTURES_AT_ONCE = 4
CARDS_AT_ONCE = 50


@shared_task
def tick() -> None:
    """Publish every scheduled story that is due. May run any number of times, at once or again.

    A story that cannot be published stays scheduled, is logged by its number, is
    tried again in a minute, and holds up no other. A host whose own clock is wrong publishes nothing.
    """
    try:
        now = database_clock.for_tick()
    except database_clock.HostClockWrong as refusal:
        log.error("%s", refusal)
        return
    due = Article.objects.scheduled_until(now).order_by("publish_at", "pk")
    for article in due.only("pk")[:AT_ONCE]:
        _publish(article, now)
    working_copies.forget_old(now=now)
    for pk in images.incomplete(most=PICTURES_AT_ONCE):
        complete_picture.delay(pk)
    for pk in share_cards.undrawn(now=now, most=CARDS_AT_ONCE):
        draw_share_card.delay(pk)


@shared_task
def draw_share_card(pk: int) -> None:
    """Draw the card of a story for link previews."""
    share_cards.draw(pk=pk)


@shared_task
def complete_picture(pk: int) -> None:
    """Make the sizes of a picture that are not made at upload, because they take seconds."""
    images.complete(pk=pk)


def _publish(article: Article, now: datetime) -> None:
    try:
        publishing.publish_due(article=article, now=now)
    except publishing.WrongState:
        log.info("Article %d was published or unscheduled by somebody else.", article.pk)
    except (publishing.PublishingError, publishing.MarkupRefused):
        log.warning("Article %d is due but not ready. It stays scheduled.", article.pk)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one story, the others are due
        log.error("Article %d could not be published: %s.", article.pk, type(error).__name__)
