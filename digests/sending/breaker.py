"""Stops an issue that the world refuses, before it spoils our name with everybody."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from core.reasons import Reason
from digests import refusals
from digests.issue_reasons import IssueReason
from postal.transports.base import Outcome


class Breaker:
    """Watches the outcomes of one lane. A lane starts with a clean one, so resuming gives a new chance."""

    def __init__(self) -> None:
        self.seen = 0
        self.about_us = 0
        self.rejected = 0
        self.streak = 0
        self.last_reason = ""

    def watch(self, outcomes: Sequence[Outcome]) -> Reason | None:
        """Take note of a batch; return the reason to pause, or None."""
        tripped = None
        for outcome in outcomes:
            self._note(outcome)
            # Nearly always nothing was refused yet, and nothing needs to be weighed.
            if self.about_us or self.rejected:
                tripped = tripped or self._verdict()
        return tripped

    def _note(self, outcome: Outcome) -> None:
        self.seen += 1
        refused = outcome.about_us or outcome.state == "rejected"
        self.streak = self.streak + 1 if refused else 0
        self.about_us += outcome.about_us
        self.rejected += refused and not outcome.about_us
        if refused:
            self.last_reason = outcome.reason

    def _verdict(self) -> Reason | None:
        if self.streak >= settings.SENDING.breaker_consecutive:
            return Reason(IssueReason.REFUSED_IN_A_ROW, {"count": self.streak, "last": self.last_reason})
        if self.seen < refusals.LEAST:
            return None
        if self.about_us / self.seen > settings.SENDING.breaker_share:
            return self._share(IssueReason.REFUSED_ABOUT_US, self.about_us)
        # Refusals of single mailboxes are normal; this many of them are an old or bought list.
        if self.rejected / self.seen > refusals.SHARE:
            return self._share(IssueReason.REFUSED_READERS, self.rejected)
        return None

    def _share(self, code: IssueReason, refused: int) -> Reason:
        return Reason(code, {"refused": refused, "copies": self.seen, "last": self.last_reason})
