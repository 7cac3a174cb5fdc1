"""A reader's copy: the issue's compiled segments joined with that reader's values."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterable
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from digests.feedback import unsubscribe_mail
from digests.models import Issue
from mailkit import segments
from postal import return_paths
from postal.transports.base import Copy, Needs
from subscribers import links

log = logging.getLogger(__name__)

# Words and blanks: what needs neither quotes nor encoding before an address (RFC 5322 3.2.3).
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+").fullmatch


class Row(NamedTuple):
    """What a copy needs to know of its delivery and reader."""

    delivery_id: int
    # Both as PostgreSQL writes them: making objects of them takes longer than all else that is done with them.
    delivery_uuid: str
    subscriber_uuid: str
    address: str
    name: str
    token_version: int
    # The key of the variant; None: the issue's own text.
    variant: str | None = None


class Merger:
    """Builds the copies of one frozen issue. Everything that is the same for all is done once, here."""

    def __init__(self, issue: Issue, *, needs: Needs) -> None:
        self.issue = issue
        self.needs = needs
        self.snapshot = issue.snapshot
        self.date = format_datetime(timezone.now())
        # A provider is given what differs, and finds that out by itself.
        fixed = {} if needs == "merge" else {"date": self.date}
        self.compiled = segments.CompiledMessage.load(self.snapshot.compiled, fixed=fixed)
        self.variants = {
            one.key: segments.CompiledMessage.load(one.compiled, fixed=fixed)
            for one in (self.snapshot.variants.all() if self.snapshot.keys else ())
        }
        # As it was frozen, so that every copy has the same, whatever is edited meanwhile.
        sender = parseaddr(dict(self.snapshot.headers)["From"])[1]
        self.envelope_from = sender
        # Each copy's own return path; a provider that merges writes its own.
        self.return_domain = settings.RETURN_DOMAIN if needs != "merge" else ""
        self.message_domain = sender.rpartition("@")[2] or urlsplit(settings.SITE_URL).hostname
        self.unsubscribe_page = f"{settings.SITE_URL}/unsubscribe"
        self.preferences_page = f"{settings.SITE_URL}/preferences"
        # Who may be mailed, as SQL with its values: the same question for every batch.
        readers = issue.eligible(now=timezone.now()).order_by().values("subscriber_id")
        self.mailable: tuple[str, tuple[Any, ...]] = readers.query.sql_with_params()

    def copies(self, *, rows: Iterable[Row]) -> tuple[list[Copy], list[int]]:
        """The copies that could be built, and the ids of the deliveries of those that could not.

        One reader's value that breaks a copy never stops the others.
        """
        built: list[Copy] = []
        broken: list[int] = []
        for row in rows:
            try:
                built.append(self._copy(row))
            except Exception as error:  # noqa: BLE001  # whatever a reader's value breaks, the others go on
                # The message of the error may hold the reader's value; its type is enough to search for.
                log.error("delivery %s did not render: %s", row.delivery_id, type(error).__name__)
                broken.append(row.delivery_id)
        return built, broken

    def _copy(self, row: Row) -> Copy:
        values = self.values(row)
        needs = self.needs
        compiled = self.compiled if row.variant is None else self.variants[row.variant]
        return Copy(
            row.delivery_id,
            row.delivery_uuid,
            self._return_path(row) if self.return_domain else self.envelope_from,
            row.address,
            compiled.render(values) if needs == "payload" else None,
            compiled.render_stuffed(values) if needs == "stuffed" else (),
            compiled if needs == "merge" else None,
            values,
        )

    def _return_path(self, row: Row) -> str:
        return return_paths.address(delivery_uuid=uuid.UUID(row.delivery_uuid), domain=self.return_domain)

    def values(self, row: Row) -> dict[str, str]:
        """The value of each slot that an issue may use, for one reader."""
        _, delivery, reader, address, name, token_version, _ = row
        digits = reader.replace("-", "")
        unsubscribe = links.unsubscribe_token_of(reader=digits, newsletter_id=self.issue.newsletter_id)
        preferences = links.preferences_token_of(reader=digits, token_version=token_version)
        return {
            "to": _mailbox(name, address),
            "name": name,
            "date": self.date,
            "message_id": f"<{delivery}@{self.message_domain}>",
            "unsubscribe_url": f"{self.unsubscribe_page}/{unsubscribe}/",
            "preferences_url": f"{self.preferences_page}/{preferences}/",
            "unsubscribe_token": unsubscribe,
            "unsubscribe_code": unsubscribe_mail.code(reader=uuid.UUID(reader), newsletter_id=self.issue.newsletter_id),
        }


def _mailbox(name: str, address: str) -> str:
    """As `formataddr`, which looks at most names longer than all else takes.

    A name that reads as an encoded word (RFC 2047 2) is left out: decoded, it would be another name.
    """
    if not name or "=?" in name:
        return address
    return f"{name} <{address}>" if _ATOMS(name) and address.isascii() else formataddr((name, address))
