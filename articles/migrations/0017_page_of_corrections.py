"""What changes the public page of corrections raises its tag."""

from django.db import migrations

TRIGGERS = """
CREATE FUNCTION articles_raise_corrections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR TG_OP = 'DELETE' OR OLD IS DISTINCT FROM NEW THEN
        PERFORM publication_raise('corrections');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER correction_raises_list AFTER INSERT OR UPDATE OR DELETE ON articles_correction
    FOR EACH ROW EXECUTE FUNCTION articles_raise_corrections();
CREATE TRIGGER story_on_record_raises_list AFTER UPDATE ON articles_article
    FOR EACH ROW WHEN (
        'withdrawn' IN (OLD.state, NEW.state)
        OR (OLD.state = 'published') <> (NEW.state = 'published')
        OR (NEW.state = 'published' AND OLD.language <> NEW.language)
    )
    EXECUTE FUNCTION articles_raise_corrections();
CREATE TRIGGER withdrawn_story_raises_list AFTER DELETE ON articles_article
    FOR EACH ROW WHEN (OLD.state = 'withdrawn') EXECUTE FUNCTION articles_raise_corrections();
"""

BACK = """
DROP TRIGGER withdrawn_story_raises_list ON articles_article;
DROP TRIGGER story_on_record_raises_list ON articles_article;
DROP TRIGGER correction_raises_list ON articles_correction;
DROP FUNCTION articles_raise_corrections();
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0016_search_by_translated_names")]

    operations = [migrations.RunSQL(TRIGGERS, BACK)]
