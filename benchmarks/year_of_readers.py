"""A year of a newsroom whose readers change their minds, recounted from the inbox.

READERS (2,000) readers of two newsletters change cadence, topics, format, weekdays, zone, hours, language and address,
pause, leave and return over DAYS (365); stories come out, are withdrawn, come back, and are translated. Every issue is
composed, approved, planned and handed over by the product's lanes to an SMTP server, whose inbox is a file; the clocks
of host and database are those of the year. Then `tests.recount`, a program of its own, reads journal and inbox. Exit 1
if a story came twice, never, or to somebody who did not want it. Mails have no layout, which would take ten times as
long.

STORIES and ACTS are those of a day; SEED makes another year.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import _inbox

os.environ["EMAIL_URL"] = _inbox.URL
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import time_machine
from django.conf import settings

from benchmarks import _audience, _figures

# The models can only be imported once Django is set up, which _audience did.
from django.db import connection  # isort: skip

from digests import rendering  # isort: skip
from digests.models import Delivery, Issue  # isort: skip
from digests.sending import history, lanes, sweeper  # isort: skip
from newsroom import owner  # isort: skip
from publication.models import Publication  # isort: skip
from subscribers.models import Subscription  # isort: skip
from tests import cast, minds  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Iterator

READERS = int(os.environ.get("READERS", "2000"))
DAYS = int(os.environ.get("DAYS", "365"))
STORIES = float(os.environ.get("STORIES", "0.25"))
ACTS = float(os.environ.get("ACTS", "16"))
SEED = int(os.environ.get("SEED", "1"))
# Days after the year in which nobody changes anything.
REST = 35
BEGIN = datetime(2025, 3, 1, 0, 30, tzinfo=UTC)

# What asks the database for the time finds these first.
CLOCK = """
DROP SCHEMA IF EXISTS a_year CASCADE;
CREATE SCHEMA a_year;
GRANT USAGE ON SCHEMA a_year TO PUBLIC;
"""
FACE = """
CREATE FUNCTION a_year.{name}() RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT current_setting('newsroom.a_year')::timestamptz $$
"""
FACES = ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp")

EMPTY = (
    "articles_article", "articles_section", "articles_tag", "articles_releasehorizon", "subscribers_newsletter",
    "subscribers_legaldocument", "subscribers_topicchoice",
)  # fmt: skip

say = functools.partial(_figures.say, "year_of_readers")


class Year(minds.Newsroom):
    """The newsroom over the product's lanes and a mail server."""

    def __init__(self, inbox: gzip.GzipFile) -> None:
        self.inbox = inbox
        self.travel: Any = None
        self.mails = 0
        super().__init__(seed=SEED, begin=BEGIN, readers=READERS)

    @property
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        """Both clocks stand at the moment."""
        self._now = moment
        if self.travel is not None:
            self.travel.stop()
        self.travel = time_machine.travel(moment, tick=False)
        self.travel.start()
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('newsroom.a_year', %s, false)", [moment.isoformat()])

    def tick(self) -> None:
        super().tick()
        history.maintain(now=self.now)

    def deliver(self) -> None:
        for pk in sweeper.sweep(now=self.now):
            if sweeper.wake(issue_id=pk, now=self.now):
                lanes.run(issue_id=pk, lane=0)
        self.mails += _inbox.fetch(self.inbox)


def main() -> None:
    """The year, then the recount."""
    _audience.create(readers=0)
    _prepare()
    journal, inbox = Path(settings.VAR_DIR) / "year.jsonl", Path(settings.VAR_DIR) / "year.mbox.gz"
    started = time.perf_counter()
    _inbox.MAIL.start()
    with gzip.open(inbox, "wb", compresslevel=1) as file, _its_clock():
        year = Year(file)
        # A year that somebody interrupts is counted as far as it came.
        with suppress(KeyboardInterrupt):
            _run(year)
        year.travel.stop()
    _inbox.MAIL.stop()
    say("the year", time.perf_counter() - started, "s", readers=READERS, days=DAYS)
    say("mails", year.mails, "mails", issues=Issue.objects.count(), in_place=_in_place(), stories=year.stories)
    say("acts", len(year.journal), "acts", waiting=_out_of_step(), copies=Delivery.objects.count())
    acts = sorted(year.journal, key=lambda act: act["at"])
    journal.write_text("\n".join(json.dumps(act, default=datetime.isoformat) for act in acts), encoding="utf-8")
    recounted = subprocess.run([sys.executable, "-m", "tests.recount", str(journal), str(inbox)], check=False)
    say("broken promises", recounted.returncode, "1")
    sys.exit(recounted.returncode)


def _run(year: Year) -> None:
    began = time.perf_counter()
    for month in range(0, DAYS, 30):
        year.run(min(30, DAYS - month), stories=STORIES, acts=ACTS)
        seconds = time.perf_counter() - began
        sys.stderr.write(f"{year.now:%Y-%m-%d}: {year.stories} stories, {year.mails} mails, {seconds:.0f} s\n")
    # Long enough for a monthly digest, and for those who are out of step.
    year.run(REST, stories=STORIES, acts=0)


def _out_of_step() -> int:
    return Subscription.objects.filter(out_of_step_since__isnull=False).count()


def _in_place() -> int:
    return Issue.objects.filter(instead_of__isnull=False).count()


def _prepare() -> None:
    """An empty newsroom that may send."""
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute("SET newsroom.allow_truncate = on")
        cursor.execute(f"TRUNCATE {', '.join(EMPTY)} CASCADE")
    row = Publication.objects.current()
    row.postal_address, row.sender_address = "1 Example Street", "news@bench.example.com"
    row.save()
    cast.make_texts()
    rendering.write = minds.write


@contextmanager
def _its_clock() -> Iterator[None]:
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(CLOCK)
        for name in FACES:
            cursor.execute(FACE.format(name=name))
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = a_year, pg_catalog, public")
        try:
            yield
        finally:
            cursor.execute("RESET search_path")


if __name__ == "__main__":
    main()
