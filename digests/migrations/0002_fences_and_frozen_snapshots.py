"""The sequence that fences claims, and the trigger that keeps a snapshot as it was frozen."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("digests", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE digests_fence AS bigint",
            "DROP SEQUENCE digests_fence",
        ),
        migrations.RunSQL(
            """
            CREATE FUNCTION digests_refuse_snapshot_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'A frozen issue cannot change: snapshot %', OLD.id
                    USING ERRCODE = 'restrict_violation';
            END
            $$;
            CREATE TRIGGER snapshot_is_frozen BEFORE UPDATE ON digests_snapshot
                FOR EACH ROW EXECUTE FUNCTION digests_refuse_snapshot_change();
            """,
            """
            DROP TRIGGER snapshot_is_frozen ON digests_snapshot;
            DROP FUNCTION digests_refuse_snapshot_change();
            """,
        ),
    ]
