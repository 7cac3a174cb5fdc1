"""A copy refers to its reader and issue without a foreign key, and triggers keep what the keys kept.

For each new row a foreign key asks for the other row and locks it: of the time that planning a
million copies takes, that was two thirds. Copies are written in one place only, from the rows that
they refer to, so it is enough to watch the deletions: of a reader, who leaves the copies behind
without a reader, and of an issue that has copies, which is refused.

A plan under way is not visible to a deletion. So planning holds the lock below shared, and whoever
deletes a reader waits for it.
"""

import django.db.models.deletion
from django.db import migrations, models

TRIGGERS = """
CREATE FUNCTION digests_let_go_of_reader() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- subscribers.erasure.READERS_LOCK. A large plan may take longer than a lock is usually waited for.
    PERFORM set_config('lock_timeout', '60s', true);
    PERFORM pg_advisory_xact_lock(727301);
    UPDATE digests_delivery SET subscriber_id = NULL WHERE subscriber_id = OLD.id;
    RETURN OLD;
END
$$;
CREATE TRIGGER copies_let_go_of_reader BEFORE DELETE ON subscribers_subscriber
    FOR EACH ROW EXECUTE FUNCTION digests_let_go_of_reader();

CREATE FUNCTION digests_keep_issue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM digests_delivery WHERE issue_id = OLD.id) THEN
        RAISE EXCEPTION 'Issue % has copies', OLD.id USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER copies_keep_issue BEFORE DELETE ON digests_issue
    FOR EACH ROW EXECUTE FUNCTION digests_keep_issue();
"""

NO_TRIGGERS = """
DROP TRIGGER copies_keep_issue ON digests_issue;
DROP FUNCTION digests_keep_issue();
DROP TRIGGER copies_let_go_of_reader ON subscribers_subscriber;
DROP FUNCTION digests_let_go_of_reader();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("digests", "0007_copies_change_without_their_indexes"),
        ("subscribers", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            "delivery",
            "issue",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="digests.issue",
            ),
        ),
        migrations.AlterField(
            "delivery",
            "subscriber",
            models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="deliveries",
                to="subscribers.subscriber",
            ),
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
