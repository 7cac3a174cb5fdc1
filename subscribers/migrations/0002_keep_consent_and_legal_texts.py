"""The database itself refuses to change what was proved: consent events and published legal texts."""

from django.db import migrations

CREATE = """
CREATE FUNCTION subscribers_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Consent events are append-only: % is refused.', TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER consent_event_is_append_only BEFORE UPDATE OR DELETE ON subscribers_consentevent
    FOR EACH ROW EXECUTE FUNCTION subscribers_refuse_change();

-- Only a test database sets newsroom.allow_truncate, to empty itself between tests.
CREATE FUNCTION subscribers_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('newsroom.allow_truncate', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% must not be emptied: it holds proof.', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER consent_event_is_not_emptied BEFORE TRUNCATE ON subscribers_consentevent
    FOR EACH STATEMENT EXECUTE FUNCTION subscribers_refuse_truncate();

CREATE FUNCTION subscribers_keep_published_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'A published legal text cannot be changed: publish a new version.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER legal_version_keeps_its_text BEFORE UPDATE OR DELETE ON subscribers_legalversion
    FOR EACH ROW EXECUTE FUNCTION subscribers_keep_published_text();

CREATE TRIGGER legal_version_is_not_emptied BEFORE TRUNCATE ON subscribers_legalversion
    FOR EACH STATEMENT EXECUTE FUNCTION subscribers_refuse_truncate();
"""

DROP = """
DROP TRIGGER legal_version_is_not_emptied ON subscribers_legalversion;
DROP TRIGGER legal_version_keeps_its_text ON subscribers_legalversion;
DROP FUNCTION subscribers_keep_published_text();
DROP TRIGGER consent_event_is_not_emptied ON subscribers_consentevent;
DROP FUNCTION subscribers_refuse_truncate();
DROP TRIGGER consent_event_is_append_only ON subscribers_consentevent;
DROP FUNCTION subscribers_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, DROP)]
