"""What publishing a story brings about beyond its page, in words.

Newsletters are above this app, so they add their part themselves: `sources.append` in their AppConfig.ready
(decision 0115).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _

from articles.models import Article
from publication import hours

# Each gives the sentences for a story that comes out at an instant, seen from now.
Source = Callable[[Article, datetime, datetime], list[str]]
sources: Final[list[Source]] = []


def sentences(*, article: Article, at: datetime | None, zone: str, now: datetime) -> list[str]:
    """What happens when the story is published at this instant; None: now."""
    page = article.get_absolute_url()
    if at is None:
        first = _("Publishes now at %(page)s.") % {"page": page}
    else:
        first = _("Publishes %(when)s at %(page)s.") % {"when": hours.when(at, zone=zone, now=now), "page": page}
    return [first, *(line for source in sources for line in source(article, at or now, now))]
