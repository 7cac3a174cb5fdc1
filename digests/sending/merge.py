"""A reader's copy: the issue's compiled segments joined with that reader's values."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from digests.models import Issue
from digests.returns import verp
from digests.sending.transports.base import Copy, Needs
from mailkit import segments
from subscribers import links

log = logging.getLogger(__name__)


class Row(NamedTuple):
    """What a copy needs to know of its delivery and reader."""

    delivery_id: int
    delivery_uuid: uuid.UUID
    subscriber_uuid: uuid.UUID
    address: str
    name: str
    token_version: int


class Merger:
    """Builds the copies of one frozen issue. Everything that is the same for all is done once, here."""

    def __init__(self, issue: Issue, *, needs: Needs) -> None:
        self.issue = issue
        self.needs = needs
        self.snapshot = issue.snapshot
        self.compiled = segments.CompiledMessage.load(self.snapshot.compiled)
        # As it was frozen, so that every copy has the same, whatever is edited meanwhile.
        sender = parseaddr(dict(self.snapshot.headers)["From"])[1]
        self.envelope_from = sender
        # Each copy's own return path; a provider that merges writes its own.
        self.return_domain = settings.RETURN_DOMAIN if needs != "merge" else ""
        self.message_domain = sender.rpartition("@")[2] or urlsplit(settings.SITE_URL).hostname
        self.date = format_datetime(timezone.now())
        self.unsubscribe_page = f"{settings.SITE_URL}/unsubscribe"
        self.preferences_page = f"{settings.SITE_URL}/preferences"
        # Who may be mailed, as SQL with its values: the same question for every batch.
        readers = issue.readers(now=timezone.now()).order_by().values("subscriber_id")
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
        return Copy(
            delivery_id=row.delivery_id,
            delivery_uuid=str(row.delivery_uuid),
            envelope_from=self._return_path(row) if self.return_domain else self.envelope_from,
            recipient=row.address,
            payload=self._payload(values),
            message=self.compiled if self.needs == "merge" else None,
            merge=values,
            # `mailkit.segments` writes no other line ends.
            is_stuffed=self.needs == "stuffed",
        )

    def _payload(self, values: dict[str, str]) -> bytes | None:
        if self.needs == "stuffed":
            return self.compiled.render_stuffed(values)
        return self.compiled.render(values) if self.needs == "payload" else None

    def _return_path(self, row: Row) -> str:
        return verp.address(delivery_uuid=row.delivery_uuid, domain=self.return_domain)

    def values(self, row: Row) -> dict[str, str]:
        """The value of each slot that an issue may use, for one reader."""
        unsubscribe, preferences = links.token_pair(
            subscriber_uuid=row.subscriber_uuid,
            token_version=row.token_version,
            newsletter_id=self.issue.newsletter_id,
        )
        return {
            "to": formataddr((row.name, row.address)) if row.name else row.address,
            "name": row.name,
            "date": self.date,
            "message_id": f"<{row.delivery_uuid}@{self.message_domain}>",
            "unsubscribe_url": f"{self.unsubscribe_page}/{unsubscribe}/",
            "preferences_url": f"{self.preferences_page}/{preferences}/",
            "unsubscribe_token": unsubscribe,
        }
