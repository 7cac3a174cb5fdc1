"""A trigger that sees everything that issues and copies become, to be compared with `digests.states`."""

from __future__ import annotations

from django.db import connection

from tests import ownership

Move = tuple[str, str]

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
    moves: dict[str, set[Move]] = {"issue": set(), "delivery": set()}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM moves_seen RETURNING what, old, new")
        for what, old, new in cursor.fetchall():
            moves[what].add((old, new))
    return moves
