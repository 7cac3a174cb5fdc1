"""Stops an issue that the world refuses, before it spoils our name with everybody."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from digests import refusals
from postal.transports.base import Outcome


class Breaker:
    """Watches the outcomes of one lane. A lane starts with a clean one, so resuming gives a new chance."""

    def __init__(self) -> None:
        self.seen = 0
        self.about_us = 0
        self.rejected = 0
        self.streak = 0
        self.last_reason = ""

    def watch(self, outcomes: Sequence[Outcome]) -> str | None:
        """Take note of a batch; return the reason to pause, for a person to read, or None."""
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

    def _verdict(self) -> str | None:
        if self.streak >= settings.SENDING["BREAKER_CONSECUTIVE"]:
            return f"Paused after {self.streak} refusals in a row. The last one: {self.last_reason}"
        if self.seen < refusals.LEAST:
            return None
        if self.about_us / self.seen > settings.SENDING["BREAKER_SHARE"]:
            return f"Paused: {self.about_us} of {self.seen} copies were refused because of us: {self.last_reason}"
        # Refusals of single mailboxes are normal; this many of them are an old or bought list.
        if self.rejected / self.seen > refusals.SHARE:
            return f"Paused: {self.rejected} of {self.seen} copies were refused. The last one: {self.last_reason}"
        return None
