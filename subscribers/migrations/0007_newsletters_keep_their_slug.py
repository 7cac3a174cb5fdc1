"""A newsletter that somebody subscribed to keeps its slug: the consent record names it by that."""

from django.db import migrations

CREATE = """
CREATE FUNCTION subscribers_keep_newsletter_slug() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM subscribers_subscription WHERE newsletter_id = OLD.id) THEN
        RAISE EXCEPTION 'A newsletter with subscriptions keeps its slug: the proof of consent names it.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER newsletter_keeps_its_slug BEFORE UPDATE OF slug ON subscribers_newsletter
    FOR EACH ROW WHEN (OLD.slug IS DISTINCT FROM NEW.slug) EXECUTE FUNCTION subscribers_keep_newsletter_slug();
"""

DROP = """
DROP TRIGGER newsletter_keeps_its_slug ON subscribers_newsletter;
DROP FUNCTION subscribers_keep_newsletter_slug();
"""


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0006_proof_names_its_format")]

    operations = [migrations.RunSQL(CREATE, DROP)]
