"""What a sign-up is paid with while the circuit breaker is tripped: its browser computes, or its reader waits.

The challenge and its solution have Altcha's format (SHA-256, version 1) and are made and verified here: no other
site is asked, and nothing is stored of who solves one. The script that solves it is ours. Where no script runs, the
form has a signed time, and is taken once that is long enough ago. Both are good for one sign-up. See
docs/decisions/0183.
"""

import base64
import hashlib
import json
import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from altcha import v1 as altcha
from django.conf import settings

from mailkit import tokens
from subscribers import throttle
from subscribers.effort_model import SpentEffort

# The names of the fields of the form; the first is what Altcha's own widget calls it.
WORK: Final = "altcha"
WAITED: Final = "waited"
PURPOSE: Final = "signup_wait"
# As long as both are good; a reader may read the terms meanwhile.
LIFETIME: Final = timedelta(hours=2)
LONGEST: Final = 2_000  # characters of a solution; ours has 300


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks for: a challenge for its script, or that its button is pressed once `seconds` are over."""

    challenge: str
    waited: str
    seconds: int


class NotYet(Exception):
    """Nothing was computed, and nobody has waited long enough; `asked` is what the page asks for now."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(f"{asked.seconds} s are missing")
        self.asked = asked


def ask(*, waited: str = "", now: datetime) -> Asked:
    """A fresh challenge, and a time that begins now, or began with a page before that sent it along."""
    if _began(waited) is not None:
        return _asked(waited, now)
    token = tokens.sign(purpose=PURPOSE, payload={"t": int(now.timestamp() * 1000), "n": secrets.token_urlsafe(9)})
    return _asked(token, now)


def accept(*, work: str, waited: str, ip: str | None, now: datetime) -> None:
    """Take the solution, or else the time that was waited, for one sign-up.

    On failure: NotYet; throttle.Crowded where too many wait instead of computing.
    """
    if (name := _solved(work)) and _spend(name, now):
        return
    since = _began(waited)
    if since is None:
        raise NotYet(ask(now=now))
    if now < since + timedelta(seconds=settings.SIGNUP_BREAKER.wait_seconds):
        raise NotYet(_asked(waited, now))
    throttle.waiting(ip=ip)
    if not _spend(hashlib.sha256(waited.encode()).hexdigest(), now):
        raise NotYet(ask(now=now))


def forget_old(*, now: datetime) -> int:
    """Drop what is too old to be used again anyway; return how many."""
    return SpentEffort.objects.filter(spent_at__lt=now - 2 * LIFETIME).delete()[0]


def _asked(token: str, now: datetime) -> Asked:
    since = _began(token) or now
    left = since + timedelta(seconds=settings.SIGNUP_BREAKER.wait_seconds) - now
    challenge = altcha.create_challenge(
        altcha.ChallengeOptions(hmac_key=_key(), max_number=settings.SIGNUP_BREAKER.work, expires=now + LIFETIME)
    )
    facts = challenge.to_dict()
    # Altcha's own widget reads it by this name.
    facts["maxnumber"] = facts.pop("maxNumber")
    return Asked(json.dumps(facts), token, max(1, math.ceil(left.total_seconds())))


def _solved(work: str) -> str | None:
    """The name of the challenge that this is the solution of, if it is one of ours and not too old."""
    try:
        solution: dict[str, Any] = json.loads(base64.b64decode(work[:LONGEST], validate=True))
        is_right, _reason = altcha.verify_solution(solution, _key(), check_expires=True)  # type: ignore[call-overload]  # typed for solutions that are whole
        return str(solution["signature"]) if is_right else None
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
        return None


def _began(token: str) -> datetime | None:
    try:
        payload = tokens.read(token, purpose=PURPOSE, max_age=LIFETIME)
    except tokens.BadToken:
        return None
    return datetime.fromtimestamp(payload["t"] / 1000, tz=UTC)


def _spend(name: str, now: datetime) -> bool:
    """Whether nobody has used it before. The row decides: two at once are refused one of them."""
    _row, is_first = SpentEffort.objects.get_or_create(name=name, defaults={"spent_at": now})
    return is_first


def _key() -> str:
    return hashlib.sha256(f"newsroom.subscribers.effort:{settings.SECRET_KEY}".encode()).hexdigest()
