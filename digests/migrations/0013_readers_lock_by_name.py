"""The lock that is held while a reader is deleted has a name, as all others have (core.locks)."""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION digests_let_go_of_reader() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- subscribers.erasure.READERS_LOCK. A large plan may take longer than a lock is usually waited for.
    PERFORM set_config('lock_timeout', '60s', true);
    PERFORM pg_advisory_xact_lock({key});
    UPDATE digests_delivery SET subscriber_id = NULL WHERE subscriber_id = OLD.id;
    RETURN OLD;
END
$$;
"""
# As core.locks.key: the first eight bytes of the name's SHA-256.
BY_NAME = "('x' || left(encode(sha256('readers are kept'), 'hex'), 16))::bit(64)::bigint"


class Migration(migrations.Migration):
    dependencies = [("digests", "0012_copies_are_counted_by_their_owner")]

    operations = [migrations.RunSQL(FUNCTION.format(key=BY_NAME), FUNCTION.format(key="727301"))]
