"""Mail on a laptop: one .eml file per copy, as a mailbox program would find it.

A file holds the message byte for byte, under the two header fields that a
delivering server adds: Return-Path (the envelope's sender) and Delivered-To.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from mailkit import message

# The time first, so that names sort by arrival; the rest makes the name unique. No address in it.
NAME_TIME = "%Y%m%dT%H%M%S.%fZ"
NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{32}\.eml")


class NoSuchMail(LookupError):
    """There is no local mail of that name."""


@dataclass(frozen=True)
class LocalMail:
    """One file: when it came, for whom, and what it says. `raw` is the message as it was handed over."""

    name: str
    received_at: datetime
    envelope_from: str
    recipient: str
    raw: bytes

    @cached_property
    def message(self) -> ParsedMessage:
        """The message, parsed as a mail program would."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain-text part, or nothing."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part, or nothing."""
        return self._part("html")

    def _part(self, subtype: str) -> str:
        part = self.message.get_body(preferencelist=(subtype,))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""


class LocalBackend(BaseEmailBackend):
    """Django's e-mail backend for the same folder: each recipient of each message gets a file."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the messages; returns how many had somebody to go to."""
        sent = 0
        for mail in email_messages:
            recipients = mail.recipients()
            raw = mail.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # Django's own message class takes it
            for recipient in recipients:
                write(raw, envelope_from=parseaddr(mail.from_email)[1], recipient=recipient, now=timezone.now())
            sent += bool(recipients)
        return sent


def write(raw: bytes, *, envelope_from: str, recipient: str, now: datetime) -> Path:
    """Keep one copy for one recipient; afterwards the whole file is there, or none.

    Killing this process loses no file that was returned. Files are not forced to
    the disk: after a power cut of a laptop, the last mails may be missing.
    """
    for text in (envelope_from, recipient):
        message.check_header_text(text)
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now.astimezone(UTC).strftime(NAME_TIME)}-{uuid.uuid4().hex}.eml"
    unfinished = path.with_suffix(".part")
    envelope = f"Return-Path: <{envelope_from}>\r\nDelivered-To: {recipient}\r\n"
    unfinished.write_bytes(envelope.encode() + raw)
    return unfinished.replace(path)


def names() -> list[str]:
    """The names of all local mails in the order of their arrival."""
    try:
        return sorted(path.name for path in _folder().iterdir() if NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []


def read(name: str) -> LocalMail:
    """The mail of that name. On failure: NoSuchMail, also for anything that is no name of ours."""
    match = NAME.fullmatch(name)
    if not match:
        raise NoSuchMail
    try:
        content = (_folder() / name).read_bytes()
    except FileNotFoundError:
        raise NoSuchMail from None
    return_path, delivered_to, raw = content.split(b"\r\n", 2)
    return LocalMail(
        name=name,
        received_at=datetime.strptime(match[1], NAME_TIME).replace(tzinfo=UTC),
        envelope_from=return_path.decode().removeprefix("Return-Path: <").removesuffix(">"),
        recipient=delivered_to.decode().removeprefix("Delivered-To: "),
        raw=raw,
    )


def read_all(*, recipient: str = "") -> list[LocalMail]:
    """All local mails in the order of their arrival; only those whose recipient contains `recipient`."""
    folded = recipient.casefold()
    mails = (read(name) for name in names())
    return [mail for mail in mails if folded in mail.recipient.casefold()]


def _folder() -> Path:
    return Path(settings.LOCAL_MAIL_DIR)
