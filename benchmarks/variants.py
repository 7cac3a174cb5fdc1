"""Does an issue leave as fast in many variants as in one, and what do planning and approving cost?

The same readers get two issues with the same stories, one after the other, several times: once all alike, once having
chosen one of VARIANTS sets of topics each. Both go through the product's own approval, plan and lanes. Figures: copies
a second of both from the first claim to the closed issue, and their ratio, which is what decides; the same for the
plan; seconds of an approval. READERS sets the audience.

The mail server is Postfix's smtp-sink, as for `send`.
"""

from __future__ import annotations

import functools
import os
import secrets
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from django.conf import settings

from benchmarks import _audience, _figures, _measuring, _postfix

# The models can only be imported once Django is set up, which _audience did.
from django.db import connection  # isort: skip
from django.utils import timezone  # isort: skip

from articles import publishing  # isort: skip
from articles.models import Article, Author, Byline, Section  # isort: skip
from digests import approval  # isort: skip
from digests.models import Issue, IssueItem  # isort: skip
from digests.sending import preparing  # isort: skip
from publication.models import Publication  # isort: skip
from subscribers import topics  # isort: skip
from subscribers.models import Newsletter, Subscription  # isort: skip

READERS = int(os.environ.get("READERS", "100000"))
VARIANTS = int(os.environ.get("VARIANTS", "30"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
COPIES_IN_FLIGHT = os.environ.get("COPIES_IN_FLIGHT", "100")
WORKERS = os.environ.get("WORKER_CONCURRENCY", "4")
# Each reader in turn has the next choice, so that a batch of a lane has copies of all of them.
CHOOSE = """
UPDATE subscribers_subscription SET topics_id = (%s::bigint[])[1 + id %% %s]
"""

say = functools.partial(_figures.say, "variants")


def main() -> None:
    """Send to readers who are alike and to readers who chose, in turns; print the figures."""
    tools = _postfix.find(Path(settings.VAR_DIR))
    if tools is None:
        sys.exit("smtp-sink and smtp-source cannot be had: install Debian's postfix package for this benchmark.")
    newsletter = _audience.create(readers=READERS)
    stories = _stories()
    choices = _choices(sorted({story.section_id for story in stories}))
    with _postfix.sink(tools) as port:
        environment = {
            "EMAIL_URL": f"smtp://127.0.0.1:{port}",
            "COPIES_IN_FLIGHT": COPIES_IN_FLIGHT,
            "LANES": WORKERS,
            "MESSAGES_PER_CONNECTION": "1000",
        }
        with _measuring.worker(environment, WORKERS) as process:
            runs: dict[bool, list[dict[str, float]]] = {False: [], True: []}
            for number in range(2 * ROUNDS):
                # In the order 1, 30, 30, 1: what grows slower in the course of a run meets both alike.
                chosen = number % 4 in (1, 2)
                _choose(choices if chosen else [])
                issue, costs = _approved(newsletter, stories)
                runs[chosen].append(_measuring.send(issue, process) | costs)
                _check(issue, VARIANTS if chosen else 0)
    report(runs[False], runs[True])


def report(alike: list[dict[str, float]], chosen: list[dict[str, float]]) -> None:
    """Print the figures of the runs, and the ratio of those with variants to those with one text."""
    for name, unit, figure in (
        ("sending", "copies/s", lambda run: READERS / run["seconds"]),
        ("planning", "copies/s", lambda run: READERS / run["plan"]),
    ):
        one, many = (statistics.median(map(figure, runs)) for runs in (alike, chosen))
        say(f"{name}, one text", one, unit, readers=READERS)
        say(f"{name}, variants", many, unit, readers=READERS, variants=VARIANTS)
        say(f"{name}, ratio", many / one, "1")
    for name, key in (("workers", "workers"), ("PostgreSQL", "postgres")):
        one, many = (statistics.median(run[key] for run in runs) for runs in (alike, chosen))
        say(f"CPU of {name} per copy, ratio", one / many, "1")
    say("approval, one text", statistics.median(run["approval"] for run in alike), "s")
    say("approval, variants", statistics.median(run["approval"] for run in chosen), "s", variants=VARIANTS)


def _stories() -> list[Article]:
    """Two stories in each section; one more section than there are variants, so that nobody's choice is all."""
    # The database may have those of a former run.
    run = secrets.token_hex(4)
    author = Author.objects.create(name="Staff Writer", slug=f"writer-{run}")
    rows = []
    for number in range(2 * (VARIANTS + 1)):
        section, _made = Section.objects.get_or_create(
            name=f"Desk {number // 2} of {run}", slug=f"desk-{number // 2}-{run}"
        )
        story = Article.objects.create(
            headline=f"What happened at desk {number // 2}, part {number % 2}",
            slug=f"story-{number}-{run}",
            section=section,
            standfirst="The reserve of the country holds coins and gold that its bank counts each evening. " * 3,
            body_markdown="The bank counts each evening.",
        )
        Byline.objects.create(article=story, author=author)
        publishing.publish(article=story, actor=None, now=timezone.now())
        rows.append(story)
    return rows


def _choices(sections: list[int]) -> list[int]:
    """One choice of about half of the sections for each variant, so that a variant is about as long as the whole."""
    ids = []
    for number in range(VARIANTS):
        values = {f"section-{sections[(number + step) % len(sections)]}" for step in range(len(sections) // 2 + 1)}
        row = topics.choice(values=values)
        assert row is not None, "it has topics"  # noqa: S101  # for the types
        ids.append(row.pk)
    return ids


def _choose(choices: list[int]) -> None:
    if not choices:
        Subscription.objects.update(topics=None)
    else:
        with connection.cursor() as cursor:
            cursor.execute(CHOOSE, [choices, len(choices)])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE subscribers_subscription")


def _approved(newsletter: Newsletter, stories: list[Article]) -> tuple[Issue, dict[str, float]]:
    """An issue of these stories, approved and planned, and how long both took."""
    Publication.objects.update(postal_address="1 Example Street", sender_address="news@bench.example.com")
    number = Issue.objects.count() + 1
    issue = Issue.objects.create(
        newsletter=newsletter, kind=Issue.Kind.DIGEST, cadence="daily", period_key=f"bench-{number}"
    )
    IssueItem.objects.bulk_create(IssueItem(issue=issue, article=story) for story in stories)
    began = time.monotonic()
    approval.approve(issue=issue, actor=None, now=timezone.now())
    approved = time.monotonic()
    if not preparing.prepare(issue_id=issue.pk, now=timezone.now()):
        sys.exit("The issue could not be planned.")
    planned = time.monotonic()
    issue.refresh_from_db()
    return issue, {"approval": approved - began, "plan": planned - approved}


def _check(issue: Issue, variants: int) -> None:
    """Everybody has a copy, and there were as many texts as the figure says."""
    texts = issue.deliveries.filter(variant__isnull=False).values("variant").distinct().count()
    accepted = issue.deliveries.filter(state="accepted").count()
    if (texts, accepted) != (variants, READERS):
        sys.exit(f"{accepted} copies of {texts} variants were accepted, not {READERS} of {variants}.")


if __name__ == "__main__":
    main()
