"""How long does the database take to count a segment? READERS (1,000,000) readers of one newsletter, ROUNDS (5) counts.

Each figure is the median time of the one statement that counts; 300 ms are allowed. The readers differ: two years of
days, three languages, two cadences, topics for one in twenty, and sources from common to rare.
"""

from __future__ import annotations

import functools
import os
import statistics
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _audience, _figures, _statements

from django.db import connection  # isort: skip  # _audience sets Django up
from django.utils import timezone  # isort: skip  # as above

from articles.models import Section  # isort: skip  # as above
from newsroom import owner  # isort: skip  # as above
from subscribers import segments  # isort: skip  # as above
from subscribers.models import Newsletter, TopicChoice  # isort: skip  # as above
from subscribers.segments import Condition  # isort: skip  # as above

READERS = int(os.environ.get("READERS", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
ALLOWED_MS = 300.0
SPREAD = """
SET session_replication_role = replica;
UPDATE subscribers_subscriber SET language = CASE WHEN id % 100 = 0 THEN 'ky' WHEN id % 5 = 0 THEN 'ru' ELSE '' END;
UPDATE subscribers_consentevent SET source = CASE WHEN id % 1000 = 0 THEN 'subscribe_again'
    WHEN id % 2 = 0 THEN 'import' ELSE 'confirm_link' END, kind = CASE WHEN id % 2 = 0 AND id % 1000 > 0
    THEN 'imported' ELSE 'confirmed' END, basis = 'on paper';
UPDATE subscribers_subscription SET cadence = CASE WHEN id % 10 = 0 THEN 'weekly' ELSE 'daily' END,
    confirmed_at = now() - (id % 730) * interval '1 day', topics_id = CASE WHEN id % 20 = 0 THEN {topics} END;
SET session_replication_role = origin;
"""
say = functools.partial(_figures.say, "segments")


def main() -> None:
    """Fill the database, then count each segment."""
    newsletter = _audience.create(readers=READERS)
    section = Section.objects.create(name="News of the bench", slug="bench")
    choice = TopicChoice.objects.create(key="bench")
    choice.sections.add(section)
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(SPREAD.format(topics=choice.pk))
        cursor.execute("VACUUM ANALYZE")
    for name, lines in segments_of(section).items():
        measure(newsletter, name, [Condition(*line) for line in lines])


def segments_of(section: Section) -> dict[str, list[tuple[str, str, str]]]:
    """What is counted, by its name."""
    today = timezone.now().date()
    days = {age: (today - timedelta(days=age)).isoformat() for age in (3, 30, 700)}
    return {
        "weekly": [("cadence", "is", "weekly")],
        "not daily": [("cadence", "is_not", "daily")],
        "a language of one in a hundred": [("language", "is", "ky")],
        "a topic": [("topic", "is", f"section-{section.pk}")],
        "a month ago or later": [("joined", "since", days[30])],
        "the first month": [("joined", "before", days[700])],
        "imported": [("source", "is", "import")],
        "a source of one in a thousand": [("source", "is", "subscribe_again")],
        "weekly, in a rare language, of a month": [
            ("cadence", "is", "weekly"), ("language", "is", "ky"), ("joined", "since", days[30]),
        ],
        "a topic, imported, of three days": [
            ("topic", "is", f"section-{section.pk}"), ("source", "is", "import"), ("joined", "since", days[3]),
        ],
        "nobody": [("cadence", "is", "weekly"), ("language", "is", "ky"), ("joined", "since", today.isoformat()),
                   ("source", "is", "subscribe_again")],
    }  # fmt: skip


def measure(newsletter: Newsletter, name: str, lines: list[Condition]) -> None:
    """The median time of the statements, and how many readers they found."""
    times = []
    for _round in range(ROUNDS + 1):
        with _statements.timed() as spent:
            number = segments.count(newsletter=newsletter, lines=lines)
        times.append(sum(spent))
    readers = f"more than {number.readers}" if number.is_more else str(number.readers)
    say(name, statistics.median(times[1:]), "ms", allowed=ALLOWED_MS, readers=readers, statements=len(spent))


if __name__ == "__main__":
    main()
