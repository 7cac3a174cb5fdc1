"""A copy's usual way touches no index: else each step of it would write to all of them."""

from __future__ import annotations

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

OPEN = "digests_delivery_open"
# What is written between pending and accepted.
CHANGING = {
    "state", "reason", "attempts", "fence", "lease_until", "attempted_at", "settled_at", "remote_id", "render_failures"
}  # fmt: skip


def test_no_index_knows_what_changes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [OPEN])
        definitions = dict(cursor.fetchall())
    assert definitions
    for name, definition in definitions.items():
        assert not [column for column in CHANGING if column in definition.partition(" USING ")[2]], name


def test_a_page_has_room_for_the_next_version_of_its_rows() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [OPEN])
        assert "fillfactor=50" in cursor.fetchone()[0]
