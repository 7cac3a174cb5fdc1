"""How long does a reader's search wait for the database? STORIES (100,000) public stories of 300 words, 5,000 tags.

The words are spread as in any language: the second word is half as frequent as the first, the thousandth a thousandth.
Each kind of query is asked ROUNDS (25) times with other words; the figures are the median and the 95th percentile of
the time that all of its statements took together, of which 50 ms are allowed.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import statistics
from collections.abc import Callable
from datetime import timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import django

django.setup()

# The models can only be imported once Django is set up.
from django.core.management import call_command  # noqa: E402  # as above
from django.db import connection, transaction  # noqa: E402  # as above

from articles import search  # noqa: E402  # as above
from articles.models import Section, Tag  # noqa: E402  # as above
from benchmarks import _figures, _statements  # noqa: E402  # as above
from newsroom import owner  # noqa: E402  # as above
from publication import languages  # noqa: E402  # as above
from publication.models import Publication  # noqa: E402  # as above

STORIES = int(os.environ.get("STORIES", "100000"))
ROUNDS = int(os.environ.get("ROUNDS", "25"))
WORDS = 300
VOCABULARY = 100_000
TAGS = 5_000
ALLOWED_MS = 50.0
AT_ONCE = 2_000
STOP_WORDS = ("the", "who", "of", "and", "in", "to", "a", "is", "was", "for")
CHANCE = random.Random(1)  # noqa: S311  # no secret
SYLLABLES = ("ba", "ken", "dor", "li", "mus", "ta", "rel", "no", "vic", "sha", "um", "per", "gol", "ni", "ast", "ew")

EMPTIED = """
SET newsroom.allow_truncate = on;
TRUNCATE articles_article, articles_section, articles_author, articles_tag, articles_searchword CASCADE;
"""
# Without the triggers, which take 30 ms for each story.
AS_THEY_ARE = "SET session_replication_role = replica"
STORY = """
INSERT INTO articles_article
    (language, headline, slug, standfirst, body_markdown, body_html, body_text, body_sha256, section_id, state,
     published_at, first_published_at, withdrawal_reason, returned_reason, created_at, updated_at)
VALUES ('en', %s, %s, %s, '', '', %s, repeat('0', 64), %s, 'published', %s, %s, '', '', now(), now())
"""
# What the triggers would have written, in one statement and without the indexes, which are built at its end.
INDEXED = """
SET session_replication_role = origin;
SET LOCAL maintenance_work_mem = '256MB';
CREATE TEMP TABLE of_entries ON COMMIT DROP AS SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename = 'articles_searchentry' AND indexdef LIKE '%USING gin%';
DO $$ BEGIN EXECUTE (SELECT string_agg('DROP INDEX ' || indexname, '; ') FROM of_entries); END $$;
INSERT INTO articles_searchentry (article_id, section_id, language, is_public, published_at, heads, words)
SELECT id, section_id, language, true, published_at, heads,
    heads || setweight(articles_words(language, left(body_text, 200000)), 'D')
FROM articles_article AS story, LATERAL (SELECT articles_heads(story) AS heads OFFSET 0) AS once;
DO $$ BEGIN EXECUTE (SELECT string_agg(indexdef, '; ') FROM of_entries); END $$;
"""
LEARNED = "SELECT articles_learn(%s)"

say = functools.partial(_figures.say, "search")


def main() -> None:
    """Fill the database, then ask."""
    call_command("migrate", verbosity=0)
    words = vocabulary()
    fill(words)

    # As in a request, which reads the publication once for all that it shows.
    with languages.override("en"):
        for kind, typed in kinds(words).items():
            measure(kind, typed, search.stories)
        measure("a name", lambda: CHANCE.choice(words[100 : 100 + 6 * TAGS]), search.names)


def kinds(words: list[str]) -> dict[str, Callable[[], str]]:
    """What people type, by its name."""

    def one(first: int, last: int) -> str:
        return CHANCE.choice(words[first:last])

    return {
        "a common word": lambda: one(10, 60),
        "a word of one story in a hundred": lambda: one(300, 3_000),
        "a rare word": lambda: one(3_000, 60_000),
        "two words": lambda: f"{one(10, 60)} {one(60, 3_000)}",
        "a phrase": lambda: f'"{one(10, 60)} {one(10, 60)}"',
        "words that say nothing": lambda: f"{CHANCE.choice(STOP_WORDS)} {CHANCE.choice(STOP_WORDS)}",
        "a beginning": lambda: one(3_000, 60_000)[:5],
        "a slip": lambda: slip(one(3_000, 60_000)),
    }


def vocabulary() -> list[str]:
    """Words of one to five syllables, the most frequent first."""
    words = dict.fromkeys(STOP_WORDS)
    while len(words) < VOCABULARY:
        words["".join(CHANCE.choices(SYLLABLES, k=CHANCE.randint(2, 5)))] = None
    return list(words)


def fill(words: list[str]) -> None:
    """Stories of the last years, and the words of all of them."""
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    pick = functools.partial(CHANCE.choices, words, cum_weights=weights)
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(EMPTIED)
        Section.objects.bulk_create(Section(id=n, name=f"Desk {n}", slug=f"desk-{n}") for n in range(1, 13))
        Publication.objects.update_or_create(pk=1, defaults={"language": "en", "further_languages": ["ru", "ky"]})
        Tag.objects.bulk_create(tag(number, words) for number in range(TAGS))
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
        cursor.execute(AS_THEY_ARE)
        for first in range(0, STORIES, AT_ONCE):
            cursor.executemany(
                STORY, [story(number, pick, now) for number in range(first, min(first + AT_ONCE, STORIES))]
            )
        with transaction.atomic():
            cursor.execute(INDEXED)
            cursor.execute(LEARNED, [" ".join(words)])
        cursor.execute("VACUUM ANALYZE")


def story(number: int, pick: Callable[..., list[str]], now: Any) -> tuple[Any, ...]:
    """A row: one story in each hour, back from now."""
    at = now - timedelta(hours=number)
    return (
        " ".join(pick(k=8)), f"story-{number}", " ".join(pick(k=20)), " ".join(pick(k=WORDS)), number % 12 + 1, at, at
    )  # fmt: skip


def tag(number: int, words: list[str]) -> Tag:
    """A tag of two words in each of three languages."""
    first, russian, kyrgyz = (" ".join(words[100 + 6 * number + place :][:2]) for place in (0, 2, 4))
    return Tag(
        name=first, slug=f"tag-{number}", translations={"ru": {"name": russian}, "ky": {"name": kyrgyz}}
    )  # fmt: skip


def slip(word: str) -> str:
    """The word with one letter less."""
    place = CHANCE.randrange(1, len(word))
    return word[:place] + word[place + 1 :]


def measure(kind: str, typed: Callable[[], str], asked: Callable[..., Any]) -> None:
    """Ask ROUNDS times; the first question, which fills the buffers, is not counted."""
    _waited(asked, typed())
    rounds = sorted(_waited(asked, typed()) for _ in range(ROUNDS))
    say(kind, statistics.median(rounds), "ms", p95=round(rounds[int(0.95 * (ROUNDS - 1))], 1), allowed=ALLOWED_MS)


def _waited(asked: Callable[..., Any], query: str) -> float:
    """Milliseconds at the database."""
    with _statements.timed() as spent:
        asked(query=query)
    return sum(spent)


if __name__ == "__main__":
    main()
