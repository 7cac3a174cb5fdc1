"""What a page says of a story besides its words: how long it takes to read, and whether it was changed since."""

from datetime import datetime, timedelta
from typing import Final

from articles.models import Article

# Of prose on a screen, by Brysbaert's meta-analysis of 2019, rounded.
WORDS_A_MINUTE: Final = 230
# Small corrections just after publishing are no news to readers.
SOON: Final = timedelta(hours=1)


def minutes(text: str) -> int:
    """Whole minutes, at least one."""
    return max(1, round(len(text.split()) / WORDS_A_MINUTE))


def updated_at(article: Article) -> datetime | None:
    """When a public story last changed, if that was more than an hour after it came out."""
    released = [moment for moment in (article.published_at, article.first_published_at) if moment]
    return article.updated_at if released and article.updated_at > max(released) + SOON else None
