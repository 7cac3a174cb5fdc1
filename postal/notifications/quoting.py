"""What somebody wrote in a reply, apart from what the mail program quoted below or between it.

Nothing is thrown away: what is taken for quoted is the other half of the result, so a wrong guess only folds a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

# The line before a quotation: "On Friday, Anna wrote:". A mail program may break it in two or three.
_ATTRIBUTION: Final = re.compile(
    r"(?:>?\s*)?(?:on|am|le|el|il|op|в|во)?\b.{0,300}?"
    r"\b(?:wrote|schrieb|écrit|escribió|ha scritto|schreef|пишет\w*|(?:на)?писал\w*(?:\(\w\))?|жазды|жазган)"
    r"(?!\w).{0,200}[:\uff1a]\s*",
    re.IGNORECASE,
)
# It names a day, an hour or an address; "As I wrote:" is the writer's own.
_NAMED: Final = re.compile(r"[\d@<]")
_MARKER: Final = re.compile(
    r"[\s>]*-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht|"
    r"исходное сообщение|пересылаемое сообщение|пересланное сообщение|message d'origine)\s*-{2,}\s*",
    re.IGNORECASE,
)
_FROM: Final = re.compile(r"\W{0,3}(?:from|von|от|от кого|кимден|de|van)\W{0,3}:.{1,300}", re.IGNORECASE)
_SENT: Final = re.compile(
    r"\W{0,3}(?:sent|date|subject|to|gesendet|datum|betreff|an|отправлено|дата|тема|кому|envoyé|objet)\W{0,3}:.{0,300}",
    re.IGNORECASE,
)
_SIGNATURE: Final = re.compile(r"--\s?")
_LONGEST_LINE: Final = 1_000
_LINES_OF_ATTRIBUTION: Final = 3
_MOST_LINES: Final = 4_000


def split(text: str) -> tuple[str, str]:
    """What was written, and what was quoted or is a signature. Both without blank lines around them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:_MOST_LINES]
    own: list[str] = []
    quoted: list[str] = []
    place = 0
    while place < len(lines):
        if _ends_here(lines, place):
            quoted += lines[place:]
            break
        if taken := _attribution(lines, place):
            quoted += lines[place : place + taken]
            place += taken
            if not _is_quotation(lines, place):
                quoted += lines[place:]
                break
            continue
        (quoted if lines[place].lstrip().startswith(">") else own).append(lines[place])
        place += 1
    return _trimmed(own), _trimmed(quoted)


def _ends_here(lines: Sequence[str], place: int) -> bool:
    """Whether from this line on nothing is the writer's: a signature, or the headers of the mail that is answered."""
    line = lines[place][:_LONGEST_LINE]
    if _SIGNATURE.fullmatch(line) or _MARKER.fullmatch(line):
        return True
    return bool(_FROM.fullmatch(line)) and any(_SENT.fullmatch(one[:_LONGEST_LINE]) for one in lines[place + 1 :][:3])


def _attribution(lines: Sequence[str], place: int) -> int:
    """How many lines the sentence before a quotation takes here; 0 if there is none."""
    for number in range(1, _LINES_OF_ATTRIBUTION + 1):
        some = lines[place : place + number]
        if not some[0].strip() or not some[-1].strip():
            return 0
        sentence = " ".join(line.strip()[:_LONGEST_LINE] for line in some)
        if _NAMED.search(sentence) and _ATTRIBUTION.fullmatch(sentence):
            return number
    return 0


def _is_quotation(lines: Sequence[str], place: int) -> bool:
    """Whether the next line that is not blank is marked as quoted."""
    following = next((line for line in lines[place : place + 4] if line.strip()), "")
    return following.lstrip().startswith(">")


def _trimmed(lines: Sequence[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")
