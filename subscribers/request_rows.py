"""The rows of one request for newsletters, in one statement that PostgreSQL plans once per connection.

The same for every address: what differs between a new mailbox, a pending and a confirmed one is decided in its cases.
See docs/decisions/0184.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from core import prepared_statements
from mailkit import addresses, characters
from subscribers import states
from subscribers.models import Letter, Subscription

# A confirmed reader's language and subscriptions stay as they are. `mine` is the newest row, also where another request
# of the same mailbox has just been committed: `ON CONFLICT` waits for it and holds the row until the transaction ends.
REQUEST: Final = """
WITH reader AS (
    INSERT INTO subscribers_subscriber AS mine
        (uuid, address, address_key, address_hash, name, language, time_zone, token_version, tracking_consent,
         created_at)
    VALUES (%(uuid)s, %(address)s, %(address_key)s, %(address_hash)s, '', %(language)s, '', 1, false, %(now)s)
    ON CONFLICT (address_key) DO UPDATE SET language = CASE
        WHEN EXISTS (SELECT FROM subscribers_subscription WHERE subscriber_id = mine.id AND state = %(confirmed)s)
        THEN mine.language ELSE excluded.language END
    RETURNING id, uuid, address_hash
), asked AS (
    INSERT INTO subscribers_subscription AS mine
        (uuid, subscriber_id, newsletter_id, cadence, state, request_number, requested_at, format, days)
    SELECT gen_random_uuid(), reader.id, wish.newsletter_id, wish.cadence, %(pending)s, 1, %(now)s, '', ''
    FROM reader, unnest(%(newsletters)s::bigint[], %(cadences)s::text[]) AS wish (newsletter_id, cadence)
    ON CONFLICT (subscriber_id, newsletter_id) DO UPDATE SET
        (state, cadence, request_number, requested_at, paused_until, days) = (
            SELECT CASE WHEN may THEN excluded.state ELSE mine.state END,
                CASE WHEN may THEN excluded.cadence ELSE mine.cadence END,
                CASE WHEN may THEN mine.request_number + 1 ELSE mine.request_number END,
                CASE WHEN may THEN excluded.requested_at ELSE mine.requested_at END,
                CASE WHEN may THEN NULL ELSE mine.paused_until END,
                CASE WHEN may THEN '' ELSE mine.days END
            FROM (SELECT mine.state = ANY(%(requestable)s::text[]) AS may) AS judged
        )
    RETURNING id, state = %(pending)s AS is_waiting
), letter AS (
    INSERT INTO subscribers_letter (uuid, kind, subscriber_id, state, reason, attempts, due_at, created_at)
    SELECT gen_random_uuid(), CASE WHEN bool_or(asked.is_waiting) THEN %(confirm)s ELSE %(already)s END, reader.id,
        %(letter_pending)s, '', 0, LEAST(%(now)s, clock_timestamp()), LEAST(%(now)s, clock_timestamp())
    FROM reader, asked GROUP BY reader.id
    RETURNING id
), about AS (
    INSERT INTO subscribers_letter_subscriptions (letter_id, subscription_id)
    SELECT letter.id, asked.id FROM letter, asked
    WHERE asked.is_waiting OR NOT EXISTS (SELECT FROM asked WHERE is_waiting)
)
SELECT reader.uuid, reader.address_hash, letter.id FROM reader, letter
"""
NAMES: Final = {
    "confirmed": Subscription.State.CONFIRMED.value,
    "pending": Subscription.State.PENDING.value,
    "requestable": f"{{{','.join(states.REQUESTABLE)}}}",
    "confirm": Letter.Kind.CONFIRM.value,
    "already": Letter.Kind.ALREADY.value,
    "letter_pending": Letter.State.PENDING.value,
}


class Written(NamedTuple):
    """Who asked, as the consent record names them, and the letter that asks the owner of the mailbox."""

    subscriber_uuid: uuid.UUID
    address_hash: str
    letter_id: int


def write(*, address: addresses.Address, cadences: Mapping[int, str], language: str, now: datetime) -> Written:
    """Make or renew what this mailbox asks for: newsletter id -> cadence, at least one. Must run in a transaction.

    After: the mailbox has its one row, locked until the transaction ends; a subscription exists for each newsletter,
    and one that is not confirmed is pending with the cadence asked for and another number; a letter is queued about
    those that wait, or about all if none does. Nobody is woken for it yet.
    """
    row = prepared_statements.first(
        REQUEST,
        {
            **NAMES,
            "uuid": uuid.uuid4(),
            "address": address.address,
            "address_key": address.key,
            "address_hash": addresses.keyed_hash(address.key),
            "language": characters.line(language)[:12],
            "newsletters": prepared_statements.array(cadences.keys()),
            "cadences": f"{{{','.join(cadences.values())}}}",
            "now": now,
        },
    )
    assert row is not None  # noqa: S101  # a statement that fails raises
    return Written(*row)
