"""What an issue's figures mean, in an editor's words. The page of an issue and docs/definitions.md say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from digests import readership, variant_names
from digests.models import Delivery, Issue, Snapshot
from digests.stats import Progress
from publication import formatting

_D = Delivery.State


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a state of a copy is shown: `tone` selects its colour in the bar."""

    tone: str
    words: str | Promise


# In the order of the bar and of the table: who got it, what is under way, what waits, who goes without.
OF_STATES: Final[Mapping[str, Meaning]] = {
    _D.ACCEPTED: Meaning(
        "got",
        _(
            "The reader's mail server took the copy. It may still sort it as unwanted, or send it back later: "
            "then it is counted under what came back."
        ),
    ),
    _D.ATTEMPTING: Meaning("moving", _("On its way: the mail server has not answered yet.")),
    _D.CLAIMED: Meaning("moving", _("Taken up to be sent; nothing of it has left.")),
    _D.PENDING: Meaning("waiting", _("Waits for its turn.")),
    _D.DEFERRED: Meaning("deferred", _("The mail server asked for another try later, or could not be reached.")),
    _D.UNCERTAIN: Meaning(
        "uncertain", _("The mail server's reply was lost. The copy arrived, or it did not; a person decides.")
    ),
    _D.REJECTED: Meaning("refused", _("The mail server refused the copy or returned it. It is not tried again.")),
    _D.SUPPRESSED: Meaning(
        "without",
        _(
            "Not mailed: no story was on the reader's topics; or after the audience was counted the reader "
            "unsubscribed, paused, chose another cadence, or the address bounced or complained."
        ),
    ),
    _D.EXPIRED: Meaning("without", _("Could not be delivered in time, and was given up.")),
    _D.RENDER_FAILED: Meaning("without", _("Could not be built for this reader in three tries.")),
    _D.CANCELLED: Meaning("without", _("Had not left when the issue was cancelled.")),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One state that copies of the issue are in."""

    state: str
    name: str
    copies: int
    tone: str
    words: str | Promise


@dataclass(frozen=True, slots=True)
class OfVariant:
    """The copies of one variant: what became of them, in words."""

    name: str
    copies: int
    states: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the bar, in thousandths of the audience."""

    tone: str
    start: float
    length: float


def lines(progress: Progress) -> list[Line]:
    """The states that copies are in. Their numbers add up to `progress.total`."""
    return [
        Line(state, str(Delivery.State(state).label), progress.by_state[state], meaning.tone, meaning.words)
        for state, meaning in OF_STATES.items()
        if progress.by_state[state]
    ]


def by_variant(progress: Progress, *, issue: Issue) -> list[OfVariant]:
    """The copies of each text, the issue's own first; nothing if all have that one."""
    if not progress.has_variants:
        return []
    frozen = Snapshot.objects.filter(issue=issue).only("audience_rule").first()
    choices = readership.Rule.of(snapshot=frozen).choices if frozen else {}
    names = variant_names.of(issue=issue, keys=progress.by_variant, choices=choices)
    counted = ((name, progress.by_variant[key]) for key, name in names.items())
    return [OfVariant(name, sum(states.values()), _in_words(states)) for name, states in counted]


def _in_words(states: Mapping[str, int]) -> str:
    shown = ((Delivery.State(state).label, states[state]) for state in OF_STATES if state in states)
    return ", ".join(f"{formatting.number(copies)} {str(label).lower()}" for label, copies in shown)


def pieces(progress: Progress) -> list[Piece]:
    """The bar. A copy too many or too few is seen: the whole is the audience or the copies, whichever is more."""
    whole = max(progress.audience, progress.total, 1)
    bar, start = [], 0.0
    for line in lines(progress):
        length = 1_000 * line.copies / whole
        bar.append(Piece(line.tone, round(start, 2), round(length, 2)))
        start += length
    return bar
