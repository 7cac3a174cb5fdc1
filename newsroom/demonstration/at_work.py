"""What a desk has on an ordinary day: a story in review with a remark, and readers who came over the last weeks."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth.models import Group, User

from articles import publishing, review
from articles.models import Article, Author, Byline, Section
from publication import groups
from subscribers import imports, signup
from subscribers.consent import Evidence
from subscribers.models import Cadence, Newsletter, Subscription

WRITER: Final = "Jonas Okafor"
HEADLINE: Final = "What a Validator Does All Day"
STANDFIRST: Final = "It waits, it signs, and now and then it proposes. A look at the machine behind the vote."
REMARK: Final = "Please check the number of validators before this goes out; it grows every week."
BODY: Final = """A validator is a computer that votes. Every twelve seconds one of them proposes a block, and some
of the others say whether it follows the rules.

## Mostly it waits

A vote costs a few kilobytes and less than a second of work. What costs money is to be there: a validator that is
offline loses as much as one that votes earns.

## What can go wrong

Two keys in two machines are worse than none. The network takes two votes for the same block for an attack.
"""
BASIS: Final = "An invented reader of the demonstration"
# Days ago: the number of invented readers who came then.
CAME: Final = {27: 3, 24: 1, 20: 4, 17: 2, 13: 5, 11: 1, 8: 3, 5: 2, 3: 4, 1: 2}
LEFT_AFTER: Final = timedelta(days=2)


def load(*, newsletter: Newsletter, now: datetime) -> None:
    """One story in review by a writer whose account nobody can sign in to; readers only where no mail leaves."""
    _story(now - timedelta(hours=3))
    if settings.EMAIL_TRANSPORT == "local":
        for days, number in CAME.items():
            _readers(newsletter, number, days, now - timedelta(days=days))


def _story(now: datetime) -> None:
    writer = User.objects.create_user("jonas", first_name="Jonas", last_name="Okafor", is_staff=True)
    writer.groups.add(Group.objects.get_or_create(name=groups.AUTHOR)[0])
    author = Author.objects.get(name=WRITER)
    Author.objects.filter(pk=author.pk).update(user=writer)
    story = Article.objects.create(
        headline=HEADLINE, slug="what-a-validator-does", standfirst=STANDFIRST, body_markdown=BODY,
        section=Section.objects.get(name="Technology"),
    )  # fmt: skip
    Byline.objects.create(article=story, author=author)
    publishing.save_revision(article=story, actor=writer, now=now)
    publishing.submit(article=story, actor=writer, now=now)
    review.comment(article=story, text=REMARK, actor=writer, now=now)


def _readers(newsletter: Newsletter, number: int, days: int, then: datetime) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "came.csv"
        lines = [f"reader-{days}-{count}@blocknews.example" for count in range(number)]
        path.write_text("\n".join(["address", *lines]), encoding="utf-8")
        plan = imports.plan(newsletter=newsletter, cadence=Cadence.WEEKLY, basis=BASIS)
        imports.run(source=imports.open_source(path=path), plan=plan, actor=None, now=then)
    if number > 3:
        gone = Subscription.objects.get(newsletter=newsletter, subscriber__address=lines[0])
        evidence = Evidence(source="one_click")
        signup.unsubscribe(
            subscription=gone, evidence=evidence, reason="one_click", now=then + LEFT_AFTER, goodbye=False
        )  # fmt: skip
