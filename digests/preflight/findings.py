"""The table of checks, and one finding of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Level(StrEnum):
    """What a finding does to an approval."""

    # It blocks a person, a command and the clock alike.
    ERROR = "error"
    # A person has to accept it by name; a command and the clock go on.
    WARNING = "warning"
    # It is only shown.
    NOTICE = "notice"


LABELS: Final[dict[str, str | Promise]] = {
    Level.ERROR: _("Must be mended"),
    Level.WARNING: _("Look at it"),
    Level.NOTICE: _("Good to know"),
}
_E, _W, _N = Level.ERROR, Level.WARNING, Level.NOTICE
# Code -> level. docs/preflight.md says what each is about.
RULES: Final[dict[str, Level]] = {
    # Content
    "not_ready": _E,
    "story_withdrawn": _E,
    "merge_field": _E,
    "placeholder": _E,
    "maybe_placeholder": _W,
    "alt_missing": _W,
    "subject_long": _W,
    "subject_phone": _N,
    "preheader_missing": _N,
    "translation_missing": _W,
    "translation_stale": _W,
    "words_untranslated": _N,
    # The mail
    "clipped": _E,
    "nearly_clipped": _N,
    "text_missing": _E,
    "unsubscribe_missing": _E,
    "list_headers_missing": _E,
    "private_link": _E,
    "site_private": _W,
    "insecure_link": _W,
    "heavy_pictures": _W,
    # Links
    "dead_link": _W,
    "doubtful_link": _N,
    "links_pending": _N,
    # The sender
    "spf_missing": _W,
    "spf_forbids": _E,
    "dkim_missing": _W,
    "dmarc_missing": _W,
    "dmarc_unaligned": _W,
    "replies_lost": _W,
    "dns_silent": _N,
    # Former issues and readers
    "same_subject": _W,
    "same_content": _W,
    "complaints": _W,
    "bounces": _W,
    "audience_grew": _N,
    "audience_fell": _W,
    "nobody": _N,
    "left_out": _N,
}
# Refused by the approval itself with an error of its own: the clock leaves a withdrawn story out and goes on.
OF_THE_APPROVAL: Final = frozenset({"not_ready", "story_withdrawn"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: its code, and a sentence for an editor."""

    code: str
    text: str

    @property
    def level(self) -> Level:
        """What it does to an approval."""
        return RULES[self.code]

    @property
    def label(self) -> str:
        """Its level in words."""
        return str(LABELS[self.level])

    @property
    def key(self) -> str:
        """By which it is acknowledged: another sentence is another finding."""
        return f"{self.code}-{sha256(self.text.encode()).hexdigest()[:12]}"

    def dump(self) -> dict[str, Any]:
        """As it is stored."""
        return {"code": self.code, "text": self.text}


def load(rows: list[dict[str, Any]]) -> list[Finding]:
    """Stored findings; those of a check that this version does not have are left out."""
    return [Finding(row["code"], row["text"]) for row in rows if row["code"] in RULES]


def finding(code: str, sentence: str | Promise, **values: Any) -> Finding:
    """One finding; `values` fill the sentence."""
    return Finding(code, str(sentence) % values if values else str(sentence))
