"""Recounts every story of every reader from the mails that they got and a journal of what happened.

It knows nothing of the product but the rule that readers are promised (docs/decisions/0186), and imports nothing of it:

    python -m tests.recount JOURNAL INBOX

The journal is a list of acts in the order of time:

    story     came out: its topics, the newsletters that take it, and whether it is old already
    labelled  a story has other topics
    withdrawn, returned
    reader    a reader of a newsletter wants it from now on as the act says, and all else as before
    address   of a reader, from now on
    count     the readers of an issue were counted: a digest holds stories until `until`
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

# Who left for longer gets nothing of the time before.
FORGOTTEN_AFTER = timedelta(days=62)
# A copy leaves at its reader's hour within this time after the count.
ON_THE_WAY = timedelta(hours=30)
# A story that comes back later than this is no news, for readers of each story at once.
NEWS_AT_ONCE = timedelta(hours=6)
NEWS = timedelta(days=14)
A_SECOND = timedelta(seconds=1)
STORY = re.compile(r"/articles/(story-\d+)")
SHAPE = re.compile(r"A mail of (full|headlines) in (\w\w)")
NO_TOPICS: frozenset[str] = frozenset()


class Mail(NamedTuple):
    """What a reader got: of which issue and newsletter, when, which stories, in which format and language."""

    reader: str
    newsletter: str
    issue: int
    at: datetime
    stories: tuple[str, ...]
    format: str = "full"
    language: str = "en"


@dataclass(frozen=True)
class Wish:
    """How a reader wants a newsletter."""

    subscribed: bool = False
    paused_until: datetime | None = None
    cadence: str = ""
    days: str = ""
    topics: frozenset[str] = NO_TOPICS
    format: str = ""
    language: str = "en"

    def wants(self, moment: datetime) -> bool:
        return self.subscribed and (self.paused_until is None or self.paused_until <= moment)

    def takes(self, topics: frozenset[str]) -> bool:
        return not self.topics or bool(self.topics & topics)


class Count(NamedTuple):
    """An issue whose readers were counted."""

    issue: int
    newsletter: str
    cadence: str
    at: datetime
    until: datetime


@dataclass
class Story:
    """When it came out and back, when it was public, and its topics."""

    newsletters: frozenset[str]
    is_old: bool
    out: list[datetime] = field(default_factory=list)
    gone: list[datetime] = field(default_factory=list)
    labels: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)

    def topics(self, moment: datetime) -> frozenset[str]:
        return self.labels[bisect_right(self.labels, moment, key=lambda pair: pair[0]) - 1][1]

    def is_public(self, moment: datetime) -> bool:
        return bisect_right(self.out, moment) > bisect_right(self.gone, moment)


class Journal:
    """What happened, to be asked about any moment."""

    def __init__(self, acts: Iterable[Mapping[str, Any]]) -> None:
        self.stories: dict[str, Story] = {}
        self.counts: dict[int, Count] = {}
        self.by_newsletter: dict[str, list[Count]] = defaultdict(list)
        self.readers_at: dict[str, str] = {}
        self.wishes: dict[tuple[str, str], list[tuple[datetime, Wish]]] = defaultdict(list)
        for act in acts:
            values = dict(act)
            getattr(self, f"_{values.pop('what')}")(**values)

    def wish(self, reader: str, newsletter: str, moment: datetime) -> Wish:
        wishes = self.wishes[reader, newsletter]
        place = bisect_right(wishes, moment, key=lambda pair: pair[0]) - 1
        return wishes[place][1] if place >= 0 else Wish()

    def is_quiet(self, reader: str, newsletter: str, begin: datetime, end: datetime) -> bool:
        """Whether the reader changed nothing meanwhile."""
        return not any(begin < at <= end for at, _wish in self.wishes[reader, newsletter])

    def is_first(self, count: Count, moment: datetime) -> bool:
        """Whether a digest is the first of its cadence, or in place of it, with what came out at that moment."""
        series = (one for one in self.by_newsletter[count.newsletter] if one.cadence == count.cadence)
        return count.until == min((one.until for one in series if one.until >= moment), default=None)

    def _story(self, at: datetime, story: str, topics: list[str], newsletters: list[str], old: bool) -> None:
        self.stories[story] = Story(frozenset(newsletters), old, [at], labels=[(at, frozenset(topics))])

    def _labelled(self, at: datetime, story: str, topics: list[str]) -> None:
        self.stories[story].labels.append((at, frozenset(topics)))

    def _withdrawn(self, at: datetime, story: str) -> None:
        self.stories[story].gone.append(at)

    def _returned(self, at: datetime, story: str) -> None:
        self.stories[story].out.append(at)

    def _reader(self, at: datetime, reader: str, newsletter: str, **changes: Any) -> None:
        wishes = self.wishes[reader, newsletter]
        if "topics" in changes:
            changes["topics"] = frozenset(changes["topics"])
        wishes.append((at, replace(wishes[-1][1] if wishes else Wish(), **changes)))

    def _address(self, at: datetime, reader: str, address: str) -> None:
        self.readers_at[address] = reader

    def _count(self, at: datetime, issue: int, newsletter: str, cadence: str, until: datetime) -> None:
        self.counts[issue] = Count(issue, newsletter, cadence, at, until)
        self.by_newsletter[newsletter].append(self.counts[issue])


def read(message: str) -> tuple[tuple[str, ...], str, str]:
    """The stories of a mail, its format and its language."""
    text = message.replace("=\r\n", "").replace("=\n", "").partition("text/html")[0]
    shape = SHAPE.search(text)
    if shape is None:
        raise ValueError(message)
    return tuple(dict.fromkeys(STORY.findall(text))), shape[1], shape[2]


def mailbox(path: Path, *, journal: Journal) -> Iterator[Mail]:
    """The mails of an inbox (mbox), each with the address to which it was delivered."""
    for raw in gzip.decompress(path.read_bytes()).split(b"\nFrom MAILER\n")[1:]:
        head = message_from_bytes(raw.partition(b"\r\n\r\n")[0])
        newsletter = str(head["List-Id"]).rpartition("<")[2].partition(".")[0]
        issue = int(str(head["Feedback-ID"]).partition(":")[0])
        reader = journal.readers_at[str(head["Delivered-To"])]
        yield Mail(reader, newsletter, issue, parsedate_to_datetime(str(head["Date"])), *read(raw.decode()))


def acts(path: Path) -> Iterator[dict[str, Any]]:
    """The journal as it was written: a line of JSON for each act."""
    for line in path.read_text(encoding="utf-8").splitlines():
        act = json.loads(line)
        for name in ("at", "until", "paused_until"):
            if act.get(name):
                act[name] = datetime.fromisoformat(act[name])
        yield act


def faults(*, journal: Journal, mails: Iterable[Mail]) -> Iterator[str]:
    """A sentence for each promise that was broken to a reader; none: all were kept."""
    had: Counter[tuple[str, str, str]] = Counter()
    for mail in mails:
        had.update((mail.reader, mail.newsletter, story) for story in mail.stories)
        yield from _unwanted(journal, mail)
    yield from (f"{key} came {times} times" for key, times in had.items() if times > 1)
    for reader, newsletter in list(journal.wishes):
        for name, story in journal.stories.items():
            is_had = bool(had[reader, newsletter, name])
            if not is_had and _is_due(journal, reader, newsletter, story):
                yield f"{reader, newsletter, name} never came"


def _unwanted(journal: Journal, mail: Mail) -> Iterator[str]:
    """What of the mail its reader had not asked for."""
    count = journal.counts[mail.issue]
    then = journal.wish(mail.reader, mail.newsletter, count.at)
    # A mail is dated to the second.
    if not any(journal.wish(mail.reader, mail.newsletter, at).wants(at) for at in (mail.at, mail.at + A_SECOND)):
        yield f"{mail} came to somebody who wanted none"
    if (then.cadence, then.language) != (count.cadence, mail.language):
        yield f"{mail} is not as the reader wanted it: {then}"
    if count.cadence != "instant" and (then.format or "full") != mail.format:
        yield f"{mail} is not in the format that the reader wanted: {then}"
    for name in mail.stories:
        story = journal.stories[name]
        if not then.takes(story.topics(count.at)):
            yield f"{mail.reader} chose {set(then.topics)} and got {name}: {story.topics(count.at)}"
        is_wanted = any(journal.wish(mail.reader, mail.newsletter, at).wants(at) for at in story.out)
        if not is_wanted and not any(journal.is_first(count, at) for at in story.out):
            yield f"{mail.reader, mail.newsletter, name} came out while its reader was away, and came"
        if not any(story.is_public(at) for at in (mail.at, mail.at + A_SECOND)):
            yield f"{mail.reader} got {name}, which was withdrawn"
        if story.is_old or mail.newsletter not in story.newsletters:
            yield f"{mail.newsletter} has {name}, which it should not have"


def _is_due(journal: Journal, reader: str, newsletter: str, story: Story) -> bool:
    """Whether the reader should have got the story by now.

    Each count since it came out was a chance. A reader whose topics it did not match at one of them may have lost it;
    one who matched at all of them has to have it, if at one of them nothing changed until the copies had left.
    """
    if story.is_old or len(story.gone) == len(story.out) or newsletter not in story.newsletters:
        return False
    if not all(journal.wish(reader, newsletter, at).wants(at) for at in story.out):
        return False
    is_late = len(story.out) > 1 and story.out[-1] - story.out[0] > NEWS
    if is_late or _was_long_away(journal, reader, newsletter, story.out[0]):
        return False
    chances = [
        (count, wish)
        for count in journal.by_newsletter[newsletter]
        if story.is_public(count.at) and count.until >= story.out[0]
        and (wish := journal.wish(reader, newsletter, count.at)).wants(count.at) and wish.cadence == count.cadence
    ]  # fmt: skip
    calm = any(
        journal.is_quiet(reader, newsletter, count.at, count.at + ON_THE_WAY)
        for count, wish in chances
        if count.at >= story.out[-1] and not wish.days
        and (count.cadence != "instant" or story.out[-1] - story.out[0] < NEWS_AT_ONCE)
    )  # fmt: skip
    return calm and all(wish.takes(story.topics(count.at)) for count, wish in chances)


def _was_long_away(journal: Journal, reader: str, newsletter: str, since: datetime) -> bool:
    """Whether the reader left after that moment for so long that it is forgotten."""
    left = None
    for at, wish in journal.wishes[reader, newsletter]:
        if at < since:
            continue
        if wish.subscribed and left is not None and at - left > FORGOTTEN_AFTER:
            return True
        left = None if wish.subscribed else left or at
    return False


def main(journal: str, inbox: str) -> int:
    """Print every broken promise; 1 if there is one."""
    known = Journal(acts(Path(journal)))
    mails = list(mailbox(Path(inbox), journal=known))
    broken = list(faults(journal=known, mails=mails))
    figures = {"mails": len(mails), "stories": len(known.stories), "pairs": len(known.wishes), "broken": len(broken)}
    print(json.dumps(figures), *broken[:50], sep="\n")  # noqa: T201  # a program says what it counted
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
