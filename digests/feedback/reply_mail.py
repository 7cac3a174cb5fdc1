"""A person's answer to an issue: which copy it answers, who sent it, and what they wrote.

Our Message-ID is the uuid of a copy, which only its reader knows; a reply names it in In-Reply-To or References.
"""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from dataclasses import dataclass
from email import utils
from typing import Any, Final

from digests.feedback import unsubscribe_mail
from mailkit import sandbox
from postal.notifications import mime

log = logging.getLogger(__name__)

# What the mailbox is read for besides bounces: any address there would do, but readers see this one.
ADDRESS: Final = "replies"
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_MOST_NAMED: Final = 20
_SECONDS: Final = 5.0
_MEGABYTES: Final = 512
_AWAY: Final = re.compile(
    r"(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office|abwesen\w+|automatische antwort|"
    r"автоответ\w*|автоматический ответ|réponse automatique|respuesta automática)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ReplyMail:
    """All texts are untrusted. `answered`: copies that it may answer, the likeliest first."""

    answered: tuple[uuid.UUID, ...]
    sender_name: str
    sender: str
    subject: str
    sent_at: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Words:
    """What the mail says. `attachments`: [{name, size}]."""

    text: str
    is_cut: bool
    quoted: str
    attachments: list[dict[str, Any]]


def read(raw: bytes) -> ReplyMail | None:
    """The answer in the mail; None if it is none, or a machine's. On failure: raises as the parsers do."""
    mail = mime.parse(raw)
    subject = " ".join(mime.text(mail["Subject"]).split())
    named = [*_UUID.findall(str(mail["In-Reply-To"] or "")), *reversed(_UUID.findall(str(mail["References"] or "")))]
    if not named or not unsubscribe_mail.is_of_a_person(mail) or _AWAY.match(subject) or _has_no_sender(mail):
        return None
    name, address = utils.parseaddr(mime.text(mail["From"])[:500])
    # The same mail is one reply, however often the mailbox gives it out.
    essence = str(mail["Message-ID"] or "").strip() or hashlib.sha256(raw).hexdigest()
    return ReplyMail(
        answered=tuple(uuid.UUID(one) for one in named[:_MOST_NAMED]),
        sender_name=" ".join(name.split())[:120],
        sender=address[:254],
        subject=subject[:200],
        sent_at=mime.taken_at(mail) or str(mail["Date"] or ""),
        fingerprint=hashlib.sha256(f"{address}\n{essence}".encode(errors="replace")).hexdigest(),
    )


def words(raw: bytes) -> Words | None:
    """What its writer says, read by a process of its own (decisions/0041); None if that could not be read."""
    try:
        response, _nothing = sandbox.run(
            module="postal.notifications.reply_child", request={}, payload=raw, seconds=_SECONDS, megabytes=_MEGABYTES
        )
    except (sandbox.TimedOut, sandbox.Failed) as error:
        log.info("a reply could not be read (%s)", type(error).__name__)
        return None
    return Words(**response)


def _has_no_sender(mail: mime.Flat) -> bool:
    """An empty return path is a machine's (RFC 5321 4.5.5, RFC 3834 2)."""
    return str(mail["Return-Path"] or "").strip() == "<>"
