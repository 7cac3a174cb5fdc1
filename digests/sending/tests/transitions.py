"""The literal tables of what an issue and a copy may become, and a trigger that sees everything they did become.

The first part of each table is design 6. The second part is what the house does besides, with the
place that does it; nothing else is allowed.
"""

from __future__ import annotations

from typing import Final

from django.db import connection

from tests import ownership

Move = tuple[str, str]

ISSUE: Final[frozenset[Move]] = frozenset({
    ("draft", "scheduled"), ("scheduled", "preparing"), ("preparing", "sending"), ("sending", "paused"),
    ("paused", "sending"), ("sending", "sent"), ("sending", "sent_with_exceptions"),
    ("draft", "cancelled"), ("scheduled", "cancelled"), ("preparing", "cancelled"), ("sending", "cancelled"),
    ("paused", "cancelled"),
    ("scheduled", "draft"),  # approval.reopen: the approval is taken back while nothing has left
    ("preparing", "draft"),  # preparing: a story was withdrawn after a person approved
    ("sent_with_exceptions", "sending"),  # uncertain.resend: a person sends again
    ("sent_with_exceptions", "sent"),  # the last exception was settled by an event, a person or a late answer
})  # fmt: skip

DELIVERY: Final[frozenset[Move]] = frozenset({
    ("pending", "claimed"), ("claimed", "attempting"), ("deferred", "claimed"),
    ("attempting", "accepted"), ("attempting", "deferred"), ("attempting", "rejected"), ("attempting", "uncertain"),
    ("uncertain", "accepted"), ("uncertain", "rejected"), ("uncertain", "pending"),
    ("claimed", "pending"), ("claimed", "suppressed"), ("claimed", "cancelled"), ("claimed", "render_failed"),
    ("deferred", "expired"),
    ("attempting", "expired"),  # outcomes.settle: deferred, and too old already
    ("claimed", "deferred"),  # pacing.domains: not this domain's turn
    ("pending", "cancelled"), ("deferred", "cancelled"),  # closing.sweep_cancelled
    ("accepted", "rejected"),  # handlers: reported as delivered first, and as bounced after that
    ("pending", "expired"),  # closing.give_up: the issue's time is over
})  # fmt: skip

# What only a person may do, by `restored.hold`, once the database itself went back in time.
AFTER_A_RESTORE: Final[frozenset[Move]] = frozenset({
    ("sending", "paused"), ("scheduled", "draft"), ("preparing", "scheduled"),
    ("pending", "uncertain"), ("claimed", "uncertain"), ("attempting", "uncertain"), ("deferred", "uncertain"),
})  # fmt: skip

WATCH = """
CREATE TABLE moves_seen (what text, old text, new text);
GRANT ALL ON moves_seen TO PUBLIC;
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO moves_seen VALUES (TG_ARGV[0], OLD.state, NEW.state); RETURN NULL; END $$;
CREATE TRIGGER note_issue AFTER UPDATE ON digests_issue FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_move('issue');
CREATE TRIGGER note_delivery AFTER UPDATE ON digests_delivery FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_move('delivery');
"""


def watch() -> None:
    """From here to the end of the transaction every change of a state is noted by the database itself."""
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute(WATCH)


def seen() -> dict[str, set[Move]]:
    """The moves since the last call, of issues and of deliveries."""
    found: dict[str, set[Move]] = {"issue": set(), "delivery": set()}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM moves_seen RETURNING what, old, new")
        for what, old, new in cursor.fetchall():
            found[what].add((old, new))
    return found
