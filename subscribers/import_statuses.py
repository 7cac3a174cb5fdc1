"""Reads what the columns of other systems say of a reader: who may be mailed, who may not, and why not.

Two rules hold beside the tables of `import_words`. A column whose name speaks of leaving is never skipped
because no table has it. A word that nobody here knows is never a yes: the file is refused until somebody says more.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from subscribers.import_words import (
    ANOTHER_MATTER,
    EMPTY,
    FALSE,
    FREE_TEXT,
    HOW_OFTEN,
    LAST,
    NO_AT_ALL,
    NO_BEGINNINGS,
    NOT_AT_ALL,
    NOT_FILLED,
    PERHAPS_STATUS,
    STATUS,
    STATUS_WORDS,
    TELLING,
    TRUE,
    WHEN_OR_WHY,
    YES_BEGINNINGS,
    YES_IF_FILLED,
    YES_IF_TRUE,
    Status,
    fold,
)

LONGEST_BEGINNING = 4  # words
LONGEST_VALUE = 200  # characters; what is longer begins with no word of a table
LOOKS_LIKE_TIME = re.compile(r".*\b(?:19|20)\d\d(?!\d).*|\d{1,2} \d{1,2} \d\d(?!\d).*|\d{10}|\d{13}")
# RFC 3463, as exports of bounces have it: 5.1.x is about the mailbox, the others may be about us.
SMTP_REFUSAL = re.compile(r"(?:[45]\d\d )?[45] \d{1,3} \d{1,3}\b.*")
NO_SUCH_MAILBOX = re.compile(r"(?:5\d\d )?5 1 \d{1,3}\b.*")
CONFIRMS = re.compile(r"confirm|verifi|bestatigt|подтвержд")
# Where several columns of a row say no, this one is kept: what may never be mailed comes first.
GRAVEST = (
    Status.COMPLAINED,
    Status.BOUNCED,
    Status.BLOCKED,
    Status.DELETED,
    Status.LEFT,
    Status.UNREACHED,
    Status.NEVER,
    Status.YES,
)


class Kind(enum.Enum):
    """How the cells of a column are read."""

    STATUS = enum.auto()
    YES_IF_TRUE = enum.auto()
    YES_IF_FILLED = enum.auto()
    NO_IF_TRUE = enum.auto()
    NO_IF_FILLED = enum.auto()
    NO_IF_NEVER = enum.auto()
    NO_AT_ALL = enum.auto()


@dataclass(frozen=True, slots=True)
class Meaning:
    """How one column is read, and what its no means."""

    kind: Kind
    no: Status = Status.LEFT

    def of(self, cell: str) -> Status | None:
        """What a cell says; None when nobody here knows."""
        value, kind = fold(cell[:LONGEST_VALUE]), self.kind
        if kind is Kind.NO_AT_ALL:
            return self.no
        if kind is Kind.NO_IF_NEVER:
            return self.no if value in NOT_AT_ALL else Status.YES
        if kind is Kind.YES_IF_FILLED:
            return Status.NEVER if value in NOT_FILLED else Status.YES
        if kind is Kind.NO_IF_TRUE or kind is Kind.NO_IF_FILLED:
            return self._of_no(value)
        if value in EMPTY or (value in FALSE and kind is Kind.STATUS):
            return Status.NEVER
        if value in TRUE or (kind is Kind.YES_IF_TRUE and LOOKS_LIKE_TIME.fullmatch(value)):
            return Status.YES
        return self.no if value in FALSE else _of_word(value) or _no_and_more(value)

    def _of_no(self, value: str) -> Status | None:
        if value in NOT_FILLED:
            return Status.YES
        status = _of_word(value)
        if status is not None and status is not Status.YES:
            return status
        is_set = self.kind is Kind.NO_IF_FILLED or value in TRUE or value.isdigit() or LOOKS_LIKE_TIME.fullmatch(value)
        return self.no if is_set else status


def known(column: str) -> Meaning | None:
    """What a column with this folded name says, if its name alone tells."""
    if column in NO_AT_ALL:
        return Meaning(Kind.NO_AT_ALL, NO_AT_ALL[column])
    if ANOTHER_MATTER.match(column):
        return None
    if column in YES_IF_TRUE:
        return Meaning(Kind.YES_IF_TRUE, _unless_true(column))
    if YES_IF_FILLED.fullmatch(column):
        return Meaning(Kind.YES_IF_FILLED)
    when_or_why = WHEN_OR_WHY.match(column)
    for names, status in NO_BEGINNINGS:
        if names.match(column):
            return Meaning(Kind.NO_IF_FILLED if when_or_why else Kind.NO_IF_TRUE, status)
    return Meaning(Kind.STATUS) if STATUS.fullmatch(column) and not when_or_why else None


def by_values(column: str, values: Iterable[str]) -> Meaning | None:
    """What a column says whose folded name leaves it open, by the folded values that it holds."""
    if ANOTHER_MATTER.match(column):
        return None
    if HOW_OFTEN.match(column):
        return Meaning(Kind.NO_IF_NEVER) if NOT_AT_ALL.intersection(values) else None
    given = set(values) - EMPTY
    if not column and any(_of_word(value) or _no_and_more(value) for value in given):
        return Meaning(Kind.STATUS)
    sounds_like_yes = YES_BEGINNINGS.match(column) and not LAST.match(column)
    if sounds_like_yes and any(value in TRUE | FALSE or _of_word(value) for value in given):
        return Meaning(Kind.YES_IF_TRUE, _unless_true(column))
    if column in PERHAPS_STATUS and any(_of_word(value) for value in given):
        return Meaning(Kind.STATUS)
    if not FREE_TEXT.match(column) and any(value in TELLING or SMTP_REFUSAL.fullmatch(value) for value in given):
        return Meaning(Kind.STATUS)
    return None


def _no_and_more(value: str) -> Status | None:
    """In a column that is a status: a no with more words behind it, as in "pending since May"."""
    parts = value.split(" ")
    beginnings = (" ".join(parts[:length]) for length in range(min(len(parts) - 1, LONGEST_BEGINNING), 0, -1))
    statuses = (STATUS_WORDS[beginning] for beginning in beginnings if beginning in STATUS_WORDS)
    return next((status for status in statuses if status is not Status.YES), None)


def _unless_true(column: str) -> Status:
    """Who never confirmed has not left."""
    return Status.NEVER if CONFIRMS.search(column) else Status.LEFT


def _of_word(value: str) -> Status | None:
    """A word of the table; or a no that is explained by more words, as in "bounced (mailbox is gone)"."""
    if value in STATUS_WORDS:
        return STATUS_WORDS[value]
    if SMTP_REFUSAL.fullmatch(value):
        return Status.BOUNCED if NO_SUCH_MAILBOX.fullmatch(value) else Status.UNREACHED
    parts = value.split(" ")
    for length in range(min(len(parts) - 1, LONGEST_BEGINNING), 0, -1):
        beginning = " ".join(parts[:length])
        if beginning in TELLING and STATUS_WORDS[beginning] is not Status.YES:
            return STATUS_WORDS[beginning]
    return None
