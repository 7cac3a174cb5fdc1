"""The script of a fault-injecting SMTP server: what it does, and where.

A script is JSON (or the same as Python dicts)::

    {"pipelining": true, "size": 0, "auth": {"user": "password"}, "announce": ["8BITMIME"],
     "rules": [{"at": "RCPT", "match": "^gone@", "do": "reply", "reply": "550 5.1.1 No such user"},
               {"at": "ACCEPTED", "share": 0.01, "do": "rst"},
               {"at": "DOT", "times": 1, "do": "delay", "seconds": 2}]}

`at` is a moment (`MOMENTS`). `match` is a regular expression searched in the recipient (at MAIL and
before: in the sender, or in nothing). `share` picks that part of the recipients, always the same ones.
`on` picks the message of that number on its connection (0: all). `skip` is how many matches pass first,
`times` after how many the rule ends, `each` after how many it ends for one recipient (0: never).
`do` is a deed (`DEEDS`). The first rule that applies is carried out; after a delay the server goes on as usual.
"""

import json
import re
import threading
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

MOMENTS: Final = (
    "CONNECT",  # before the greeting
    "EHLO",
    "STARTTLS",
    "AUTH",
    "MAIL",
    "RCPT",
    "DATA",  # instead of 354
    "BODY",  # in the middle of the message, before its final dot
    "DOT",  # the message is there, and is not accepted yet
    "ACCEPTED",  # it is accepted and recorded, and the client has no reply yet
    "TOLD",  # the client has the reply
)
DEEDS: Final = (
    "reply",  # say `reply` and go on; "421 ..." also closes
    "close",  # close the connection in the usual way
    "rst",  # reset it
    "half_close",  # say nothing more, and go on reading
    "silence",  # say nothing until the client leaves
    "delay",  # wait `seconds`, then go on
    "kill",  # kill -9 the process that `Server.victim` names, and end the session
)


@dataclass
class Rule:
    """One line of a script."""

    at: str
    do: str
    match: str = ""
    reply: str = "451 4.3.0 Try again later"
    seconds: float = 0.0
    share: float = 1.0
    on: int = 0
    skip: int = 0
    times: int = 1_000_000_000
    each: int = 0
    seen: int = field(default=0, init=False)
    seen_of: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        if self.at not in MOMENTS or self.do not in DEEDS:
            raise ValueError(f"A rule has at in {MOMENTS} and do in {DEEDS}.")

    def applies(self, moment: str, subject: str, number: int) -> bool:
        """True when this rule is to be carried out now; counts its matches."""
        if moment != self.at or not re.search(self.match, subject) or not self._is_in_share(subject):
            return False
        if self.on not in {0, number}:
            return False
        if self.each:
            self.seen_of[subject] += 1
            if self.seen_of[subject] > self.each:
                return False
        self.seen += 1
        return self.skip < self.seen <= self.skip + self.times

    def _is_in_share(self, subject: str) -> bool:
        return zlib.crc32(f"{self.at} {self.do} {subject}".encode()) % 10_000 < self.share * 10_000


@dataclass
class Script:
    """What the server announces, and its rules in order."""

    rules: Sequence[Rule] = ()
    pipelining: bool = True
    size: int = 0
    auth: Mapping[str, str] = field(default_factory=dict)
    mechanisms: str = "PLAIN LOGIN"
    announce: Sequence[str] = ("8BITMIME", "ENHANCEDSTATUSCODES")
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @classmethod
    def read(cls, source: str | Mapping[str, Any]) -> Self:
        """From JSON text or from a dict of the same shape. Raises ValueError or TypeError."""
        given = dict(json.loads(source) if isinstance(source, str) else source)
        rules = [Rule(**rule) for rule in given.pop("rules", [])]
        return cls(rules=rules, **given)

    def rule(self, moment: str, subject: str = "", *, number: int = 0) -> Rule | None:
        """The rule to carry out at this moment of the connection's message of that number, or None."""
        with self._lock:
            return next((rule for rule in self.rules if rule.applies(moment, subject, number)), None)
