"""Writes events of the consent record and reads its last hash, by statements that PostgreSQL plans once per connection.

Everybody who writes into the record waits while one of them does, so these are short.
"""

import json
from collections.abc import Sequence
from typing import Final

from core import hash_chain, locks, prepared_statements
from subscribers.models import ConsentEvent

HEAD: Final = "SELECT hash FROM subscribers_consentevent ORDER BY id DESC LIMIT 1"
FACTS: Final = (
    "kind", "subscriber_uuid", "address_hash", "newsletter_slug", "cadence", "documents", "form_text",
    "form_text_sha256", "form_url", "locale", "source", "basis", "user_agent_sha256", "occurred_at", "format", "key_id",
    "previous_hash", "hash",
)  # fmt: skip
# The ids are drawn in the order of the rows, which is that of the chain.
INSERT: Final = f"""
WITH event AS (
    INSERT INTO subscribers_consentevent ({", ".join(FACTS)})
    SELECT {", ".join(FACTS)}
    FROM ROWS FROM (jsonb_to_recordset(%(events)s::jsonb) AS (
        kind text, subscriber_uuid uuid, address_hash text, newsletter_slug text, cadence text, documents jsonb,
        form_text text, form_text_sha256 text, form_url text, locale text, source text, basis text,
        user_agent_sha256 text, occurred_at timestamptz, format smallint, key_id text, previous_hash text, hash text
    )) WITH ORDINALITY AS row ({", ".join(FACTS)}, number)
    ORDER BY number
    RETURNING id
), origin AS (
    INSERT INTO subscribers_consentorigin (event_id, ip)
    SELECT id, %(ip)s::inet FROM event WHERE %(ip)s::inet IS NOT NULL
)
SELECT array_agg(id ORDER BY id) FROM event
"""  # noqa: S608  # the names above


def head(*, lock: str) -> str:
    """The hash of the last event, under this lock until the transaction ends; that of no event where there is none."""
    row = locks.wait_and_read(lock, HEAD)
    return str(row[0]) if row else hash_chain.GENESIS


def insert(*, events: Sequence[ConsentEvent], ip: str | None) -> None:
    """Write the events, at least one, in this order, with the network address of all of them. They get their ids."""
    facts = [{name: getattr(event, name) for name in FACTS} for event in events]
    row = prepared_statements.first(INSERT, {"events": json.dumps(facts, default=str), "ip": ip or None})
    assert row is not None  # noqa: S101  # a statement that fails raises
    for event, number in zip(events, row[0], strict=True):
        event.pk = number
