"""The planner's figures of the copies, renewed for a role that does not own the table.

Only an owner may ANALYZE, or whoever has MAINTAIN, which PostgreSQL knows from 17 on and which allows
locking the table as well. This function is the owner's, and does nothing else.
"""

from django.db import migrations

CREATE = """
DO $do$ BEGIN
    EXECUTE format($format$
        CREATE FUNCTION digests_analyze_copies() RETURNS void LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            ANALYZE (SKIP_LOCKED) %I.digests_delivery;
        END $$
    $format$, current_schema());
END $do$
"""
DROP = "DROP FUNCTION digests_analyze_copies()"


class Migration(migrations.Migration):
    dependencies = [("digests", "0011_snapshots_name_their_format")]

    operations = [migrations.RunSQL(CREATE, DROP)]
